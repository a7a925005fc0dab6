"""A model's operations as one flat list, and its constants: their sizes, and the contents of small ones.

`onnx.inliner` also makes a graph flat, but it copies the weights in the file and has no limit: 30 functions, each of which
calls the next twice, become 2**30 operations. Here they come one by one, and the reader stops when it has seen enough.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice
from math import isfinite, prod

import onnx
from onnx import numpy_helper

from dummyio_onnx.external_data import iterate_graphs

_SMALL = 64
"""Elements up to which a constant's contents are read: shapes, axes and indices are shorter."""

_WHOLE = (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
_READABLE = (*_WHOLE, onnx.TensorProto.FLOAT, onnx.TensorProto.DOUBLE, onnx.TensorProto.STRING)

_MAX_CALLS = 50
"""Calls within calls that are followed."""

_MAX_RANK = 64
"""Axes of a constant that is read; no runtime has more."""

HANDED, ROW = "(handed to a loop)", "(a row for each iteration)"
"""Kinds of operations that stand for the inputs of a loop's body."""

_FunctionKey = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an operation is: in the graph itself, or in a function's body for one call of it."""

    prefix: str = ""
    """What is put before names in the body, so that each call has its own."""

    calls: tuple[_FunctionKey, ...] = ()
    given: Mapping[str, onnx.AttributeProto] = field(default_factory=dict[str, onnx.AttributeProto])
    """The call's values for the attributes that the body leaves open."""

    def name(self, name: str) -> str:
        """Return a value's name as the only one of the model."""
        return f"{self.prefix}{name}" if name else ""  # formatted: protobuf returns names that are not UTF-8 as bytes


@dataclass(frozen=True, slots=True)
class Op:
    """One operation."""

    kind: str
    """``"Gather"``, or for a domain other than ONNX's, ``"com.microsoft.EmbedLayerNormalization"``."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, onnx.AttributeProto]

    def input(self, place: int) -> str:
        """Return an input's name; empty if it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def number(self, name: str, default: int) -> int:
        """Return a whole-number attribute."""
        return self.attributes[name].i if name in self.attributes else default

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return an attribute that is a list of whole numbers; an empty one if it is left out."""
        return tuple(self.attributes[name].ints) if name in self.attributes else ()

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a word."""
        return self.attributes[name].s.decode("utf-8", "replace") if name in self.attributes else default


@dataclass(frozen=True, slots=True)
class Constant:
    """The sizes of a constant, and its elements row by row if they are few."""

    dims: tuple[int, ...]
    elements: tuple[int, ...] | None
    """Whole numbers."""
    values: tuple[int | float | str, ...] | None = None
    """Numbers or words."""


def iterate_operations(model: onnx.ModelProto) -> Iterator[Op]:
    """Yield all operations, those of branches and of called functions included, each after those that it depends on."""
    functions = {(function.domain, function.name, _overload(function)): function for function in model.functions}
    walks = [_walk(model.graph.node, functions, _Scope())]
    while walks:  # a stack, not recursion: branches may lie in each other as deep as the file's author likes
        step = next(walks[-1], None)
        if step is None:
            walks.pop()
        elif isinstance(step, Op):
            yield step
        else:
            nodes, scope = step
            walks.append(_walk(nodes, functions, scope))


def _overload(proto: onnx.NodeProto | onnx.FunctionProto) -> str:
    return getattr(proto, "overload", "")  # since onnx 1.16


def _walk(
    nodes: Iterable[onnx.NodeProto], functions: Mapping[_FunctionKey, onnx.FunctionProto], scope: _Scope
) -> Iterator[Op | tuple[Iterable[onnx.NodeProto], _Scope]]:
    """Yield operations; and nodes with their scope, which come before the next operation."""
    for node in nodes:
        op = _read_node(node, scope)
        key = (node.domain, node.op_type, _overload(node))
        # A model with a function that calls itself is not valid.
        if key in functions and key not in scope.calls and len(scope.calls) < _MAX_CALLS:
            function = functions[key]
            defaults = {part.name: part for part in function.attribute_proto}
            body = _Scope(f"{next(iter(op.outputs), '')}/", (*scope.calls, key), {**defaults, **op.attributes})
            yield Op(op.kind, (), (), {})  # so that a reader counts calls that do nothing but call
            # Trailing inputs and outputs may be left out of a call.
            for name, inside in zip(op.inputs, function.input, strict=False):
                yield Op("Identity", (name,), (body.name(inside),), {})
            yield function.node, body
            for inside, name in zip(function.output, op.outputs, strict=False):
                yield Op("Identity", (body.name(inside),), (name,), {})
            continue
        for part in node.attribute:
            for graph in (part.g, *part.graphs):
                if graph.node:
                    yield from _hand_over(op, graph, scope)
                    yield graph.node, scope
        yield op


def _hand_over(op: Op, body: onnx.GraphProto, scope: _Scope) -> Iterator[Op]:
    """Yield operations that give the inputs of a loop's body the facts of what the loop is given."""
    names = [scope.name(value.name) for value in body.input]
    if op.kind == "Loop":  # the body's first inputs are the iteration and a condition
        pairs = zip(op.inputs[2:], names[2:], strict=False)
        yield from (Op(HANDED, (given,), (name,), {}) for given, name in pairs)
    elif op.kind == "Scan":
        states = len(names) - op.number("num_scan_inputs", 0)
        axes = op.numbers("scan_input_axes") or (0,) * (len(names) - states)
        for place, (given, name) in enumerate(zip(op.inputs, names, strict=False)):
            if place < states:
                yield Op(HANDED, (given,), (name,), {})
            elif place - states < len(axes):
                axis = onnx.helper.make_attribute("axis", axes[place - states])
                yield Op(ROW, (given,), (name,), {"axis": axis})


def _read_node(node: onnx.NodeProto, scope: _Scope) -> Op:
    attributes = {}
    for part in node.attribute:
        value = scope.given.get(part.ref_attr_name) if part.ref_attr_name else part
        if value is not None:
            attributes[part.name] = value
    return Op(
        node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}",
        tuple(map(scope.name, node.input)),
        tuple(map(scope.name, node.output)),
        attributes,
    )


def read_constants(model: onnx.ModelProto) -> dict[str, Constant]:
    """Return the initializers of all graphs by name; those in other files have sizes only."""
    found: dict[str, Constant] = {}
    for graph in (graph for graph in iterate_graphs(model) if isinstance(graph, onnx.GraphProto)):
        known = {tensor.name: read_constant(tensor) for tensor in graph.initializer}
        known |= {part.values.name: _read_sizes(part.dims) for part in graph.sparse_initializer}
        found |= {name: constant for name, constant in known.items() if constant is not None}
    return found


def read_constant(tensor: onnx.TensorProto) -> Constant | None:
    """Return a tensor as a constant; None if its sizes are not valid."""
    constant = _read_sizes(tensor.dims)
    if constant is None or tensor.data_type not in _READABLE or prod(constant.dims) > _SMALL:
        return constant
    if tensor.data_location == onnx.TensorProto.EXTERNAL:
        return constant
    try:
        values = tuple(numpy_helper.to_array(tensor).reshape(-1).tolist())
    except (TypeError, ValueError):  # its sizes do not fit its data: the runtime reports that the model is damaged
        return constant
    if tensor.data_type in _WHOLE:
        return Constant(constant.dims, values, values)
    words = (value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values)
    known = tuple(value for value in words if not isinstance(value, float) or isfinite(value))
    return Constant(constant.dims, None, known)


def _read_sizes(dims: Iterable[int]) -> Constant | None:
    sizes = tuple(islice(dims, _MAX_RANK + 1))
    return Constant(sizes, None) if len(sizes) <= _MAX_RANK and min(sizes, default=0) >= 0 else None
