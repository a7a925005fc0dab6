"""A model's operations as one flat list, and what its constants are: their sizes, and the contents of small ones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from math import prod

import onnx
from onnx import numpy_helper

from dummyio_onnx.read_model import graphs

__all__ = ["Constant", "Op", "constants", "operations", "read_constant"]

_SMALL = 64
"""Elements up to which a constant's contents are read: shapes, axes and indices are shorter."""

_DEEP = 50
"""Calls within calls that are followed."""

_Key = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class _Scope:
    """Where an operation stands: in the graph itself, or in a function's body for one call of it."""

    prefix: str = ""
    """Before the names in the body, so that each call has its own."""

    calls: tuple[_Key, ...] = ()
    given: Mapping[str, onnx.AttributeProto] = field(default_factory=dict[str, onnx.AttributeProto])
    """What the call says for the attributes that the body leaves open."""

    def name(self, name: str) -> str:
        """Return a value's name as the only one of the model."""
        return f"{self.prefix}{name}" if name else ""  # formatted: what is not UTF-8 comes as bytes


@dataclass(frozen=True, slots=True)
class Op:
    """One operation."""

    kind: str
    """``"Gather"``, or with a domain that is not ONNX's, ``"com.microsoft.EmbedLayerNormalization"``."""

    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, onnx.AttributeProto]

    def input(self, place: int) -> str:
        """Return an input's name; empty where it is left out."""
        return self.inputs[place] if place < len(self.inputs) else ""

    def number(self, name: str, default: int) -> int:
        """Return a whole-number attribute."""
        return self.attributes[name].i if name in self.attributes else default

    def numbers(self, name: str) -> tuple[int, ...]:
        """Return an attribute that is a list of whole numbers; an empty one where it is left out."""
        return tuple(self.attributes[name].ints) if name in self.attributes else ()

    def text(self, name: str, default: str) -> str:
        """Return an attribute that is a word."""
        return self.attributes[name].s.decode("utf-8", "replace") if name in self.attributes else default


@dataclass(frozen=True, slots=True)
class Constant:
    """What is known of a constant: its sizes, and its elements, row by row, where they are few whole numbers."""

    dims: tuple[int, ...]
    elements: tuple[int, ...] | None


def operations(model: onnx.ModelProto) -> Iterator[Op]:
    """Yield all operations, those of branches and of called functions included, each after those that it depends on."""
    functions = {(f.domain, f.name, _overload(f)): f for f in model.functions}
    yield from _walk(model.graph.node, functions, _Scope())


def _overload(proto: onnx.NodeProto | onnx.FunctionProto) -> str:
    return getattr(proto, "overload", "")  # since onnx 1.16


def _walk(nodes: Iterable[onnx.NodeProto], functions: Mapping[_Key, onnx.FunctionProto], scope: _Scope) -> Iterator[Op]:
    for node in nodes:
        op = _op(node, scope)
        key = (node.domain, node.op_type, _overload(node))
        # A function that calls itself is no valid model.
        if key in functions and key not in scope.calls and len(scope.calls) < _DEEP:
            yield from _call(functions[key], op, functions, (*scope.calls, key))
            continue
        for part in node.attribute:
            for graph in (part.g, *part.graphs):
                yield from _walk(graph.node, functions, scope)
        yield op


def _op(node: onnx.NodeProto, scope: _Scope) -> Op:
    attributes = {}
    for part in node.attribute:
        value = scope.given.get(part.ref_attr_name) if part.ref_attr_name else part
        if value is not None:
            attributes[part.name] = value
    return Op(
        node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}",
        tuple(scope.name(name) for name in node.input),
        tuple(scope.name(name) for name in node.output),
        attributes,
    )


def _call(
    function: onnx.FunctionProto, op: Op, functions: Mapping[_Key, onnx.FunctionProto], calls: tuple[_Key, ...]
) -> Iterator[Op]:
    """Yield the operations of a function's body, between ones that hand its inputs in and its outputs out."""
    defaults = {part.name: part for part in function.attribute_proto}
    scope = _Scope(f"{next(iter(op.outputs), '')}/", calls, {**defaults, **op.attributes})
    for name, inside in zip(op.inputs, function.input, strict=False):  # trailing inputs may be left out
        yield Op("Identity", (name,), (scope.name(inside),), {})
    yield from _walk(function.node, functions, scope)
    for inside, name in zip(function.output, op.outputs, strict=False):  # trailing outputs may be unused
        yield Op("Identity", (scope.name(inside),), (name,), {})


def constants(model: onnx.ModelProto) -> dict[str, Constant]:
    """Return the initializers of all graphs; external ones have sizes only."""
    found = {}
    for graph in graphs(model):
        for tensor in graph.initializer:
            found[tensor.name] = read_constant(tensor)
        for sparse in graph.sparse_initializer:
            found[sparse.values.name] = Constant(tuple(sparse.dims), None)
    return found


def read_constant(tensor: onnx.TensorProto) -> Constant:
    """Return what is known of one tensor."""
    dims = tuple(tensor.dims)
    whole = tensor.data_type in (onnx.TensorProto.INT64, onnx.TensorProto.INT32)
    if not whole or prod(dims) > _SMALL or tensor.data_location == onnx.TensorProto.EXTERNAL:
        return Constant(dims, None)
    try:
        elements = tuple(int(element) for element in numpy_helper.to_array(tensor).reshape(-1))
    except ValueError:  # sizes and data do not fit: the model is broken, which its runtime will say
        return Constant(dims, None)
    return Constant(dims, elements)
