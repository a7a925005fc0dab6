"""What TensorFlow may compute when it infers the shapes of a graph that comes from a file: arithmetic of few numbers.

Importing a graph evaluates the constant part that an operand such as the sizes of ``Reshape`` depends on, and that runs
its operators: one may read a file, fill the memory, or take minutes. Results of all operators that are not listed here go through
``GuaranteeConst``, which keeps shapes and is never evaluated.
"""

import graphlib
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any, NamedTuple

import tensorflow as tf
from tensorflow.python.framework import op_def_registry  # pyright: ignore[reportMissingImports]

from dummyio.errors import SourceError

_MOST_ELEMENTS = 4096
"""Elements of a tensor that may be computed: operands of shapes have few."""
_MOST_STEPS = 1000
"""Operators that one evaluation may run."""
_MOST_RANK = 254
"""The axes of TensorFlow tensors."""
_MOST_RESULTS = 1 << 16
"""Results of one operator: a file may declare more at no cost."""

_MOST_FOLLOWED = 200
"""Operators in a row that are followed from a shape: TensorFlow calls itself for each, and ends the process if there are very many."""

_READ_SHAPE = {"Shape": (1, _MOST_RANK), "ShapeN": (1, _MOST_RANK), "Rank": (0, 1), "Size": (0, 1)}
_KEEP = {
    *("Identity", "Cast", "Neg", "Abs", "Sign", "Square", "Ceil", "Floor", "Round", "Rint", "Sqrt", "Rsqrt", "Exp", "Log", "Reciprocal"),
    *("LogicalNot", "Invert", "OnesLike", "ZerosLike", "StopGradient", "Snapshot", "EnsureShape", "InvertPermutation", "Reverse", "ReverseV2"),
    *("Slice", "Unpack", "Squeeze", "Split", "Sum", "Prod", "Max", "Min", "Mean", "All", "Any", "SplitV"),
}  # fmt: skip
"""The result has at most the rank and the elements of the first operand."""
_COMBINE = {
    *("Add", "AddV2", "Sub", "Mul", "Div", "RealDiv", "FloorDiv", "TruncateDiv", "DivNoNan", "FloorMod", "Mod", "TruncateMod"),
    *("Maximum", "Minimum", "Pow", "SquaredDifference", "Greater", "GreaterEqual", "Less", "LessEqual", "Equal", "NotEqual"),
    *("LogicalAnd", "LogicalOr", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "LeftShift", "RightShift", "Select", "SelectV2"),
    *("ClipByValue", "BroadcastArgs"),
}  # fmt: skip
"""The result is one of the operands' elements with each other."""
_JOIN = {"Pack": 1, "Concat": 0, "ConcatV2": 0, "ConcatOffset": 0, "ParallelConcat": 0}
"""The result has all elements of the operands → the axes that it has in addition."""
_FOLLOWED = {
    *_JOIN,
    "Cast",
    "Identity",
    "StridedSlice",
    "Slice",
    "Unpack",
    "Gather",
    "GatherV2",
    "Squeeze",
    "ExpandDims",
}
"""Operators that are followed from a shape to its sizes, also if these depend on an input."""
_RESHAPE = {"Reshape", "ExpandDims", "StridedSlice", "Transpose"}
"""The result has at most the elements of the first operand."""
_TAKE_ROWS = {"Slice", "StridedSlice"}
"""Operators that take rows of a large table: not computed, and the table stays their operand, where `find_graph_tables` looks."""
_NUMBERS = {
    *(
        kind.as_datatype_enum
        for kind in (tf.bool, tf.int8, tf.int16, tf.int32, tf.int64, tf.uint8, tf.uint16, tf.uint32)
    ),
    *(kind.as_datatype_enum for kind in (tf.uint64, tf.float16, tf.bfloat16, tf.float32, tf.float64)),
}
_SOURCES = {"Placeholder", "PlaceholderV2", "PlaceholderWithDefault", "Merge", "RefMerge"}
"""Operators that TensorFlow does not evaluate; the inputs of a merge may be later in a loop."""


class _Bound(NamedTuple):
    """A constant tensor: the most that it may be, and that computing it may take; a rank of -1 if it may not be computed."""

    rank: int
    elements: int
    steps: int


_UNBOUNDED = _Bound(-1, 0, 0)


def guard_constants(graph: Any) -> None:
    """Change a ``GraphDef`` so that importing it computes nothing but small sizes.

    Raises
    ------
    SourceError
        for a graph with a cycle, or with an operator that TensorFlow does not have, or of more results than can be.
    """
    nodes = {node.name: node for node in graph.node}
    functions = {function.signature.name: function.signature for function in graph.library.function}
    sources = {name: _list_sources(node) for name, node in nodes.items()}
    before = {name: () if nodes[name].op in _SOURCES else [one for one, _ in taken] for name, taken in sources.items()}
    try:
        order = [name for name in graphlib.TopologicalSorter(before).static_order() if name in nodes]
    except graphlib.CycleError:
        raise SourceError("the graph has a cycle, which is not a loop.") from None
    bounds: dict[str, _Bound | None] = {}  # None: depends on an input, so that it cannot be computed
    depths: dict[str, int] = {}
    for name in order:
        bounds[name] = _bound_node(nodes[name], functions, [bounds.get(one) for one, _ in sources[name]])
        if nodes[name].op in _FOLLOWED:
            depths[name] = 1 + max((depths.get(one, 0) for one, _ in sources[name]), default=0)
            if depths[name] > _MOST_FOLLOWED:
                bounds[name], depths[name] = _UNBOUNDED, 0
    guards: dict[tuple[str, int], str] = {}
    for name in order:
        node, taken = nodes[name], sources[name]
        inputs = [source for source in node.input if not source.startswith("^")]
        for place, key in enumerate(taken):
            is_table = place == 0 and node.op in _TAKE_ROWS and nodes[key[0]].op == "Const" if key[0] in nodes else True
            if bounds.get(key[0]) is not _UNBOUNDED or node.op in _SOURCES or is_table:
                continue
            if key not in guards:
                guards[key] = _add_guard(graph, nodes, key, functions)
            inputs[place] = guards[key]
        node.ClearField("input")  # shapes do not depend on what runs before
        node.input.extend(inputs)


def _list_sources(node: Any) -> list[tuple[str, int]]:
    """Return the operators and numbers of the results that a node takes."""
    found: list[tuple[str, int]] = []
    for text in node.input:
        if text.startswith("^"):
            continue
        name, _, number = text.rpartition(":")
        found.append((name, int(number)) if name and number.isascii() and number.isdecimal() else (text, 0))
    return found


def _bound_node(node: Any, functions: Mapping[str, Any], operands: Sequence[_Bound | None]) -> _Bound | None:
    """Return the bound of a node's results; None if they cannot be computed."""
    definition = _find_definition(node.op, functions)
    _list_dtypes(node, definition)
    if definition.is_stateful or node.op in _SOURCES:
        return None
    if node.op in _READ_SHAPE:
        return _Bound(*_READ_SHAPE[node.op], 1)
    if node.op in _TAKE_ROWS and operands and operands[0] is _UNBOUNDED:
        return _UNBOUNDED  # its first operand may be left without a guard
    if any(bound is None or bound is _UNBOUNDED for bound in operands):
        return None
    known = [bound for bound in operands if bound is not None]
    if any(value.type not in _NUMBERS for value in node.attr.values() if value.WhichOneof("value") == "type"):
        return _UNBOUNDED
    rank, elements = _bound_value(node, known)
    steps = 1 + sum(bound.steps for bound in known)
    return (
        _Bound(rank, elements, steps)
        if rank >= 0 and elements <= _MOST_ELEMENTS and steps <= _MOST_STEPS
        else _UNBOUNDED
    )


def _bound_value(node: Any, operands: Sequence[_Bound]) -> tuple[int, int]:
    if node.op == "Const":
        shape = node.attr["value"].tensor.tensor_shape
        sizes = [axis.size for axis in shape.dim]
        return (-1, 0) if shape.unknown_rank or min(sizes, default=0) < 0 else (len(sizes), prod(sizes))
    if not operands:
        return -1, 0
    ranks, counts = [bound.rank for bound in operands], [bound.elements for bound in operands]
    if node.op in _KEEP:
        place = 1 if node.op == "Split" and len(operands) > 1 else 0
        return ranks[place], counts[place]
    if node.op in _COMBINE:
        wide = [count for count in counts if count > 1]
        return max(ranks), max(counts) if max(ranks) < 2 or len(wide) < 2 else prod(wide)
    if node.op in _JOIN:
        return max(ranks) + _JOIN[node.op], sum(counts)
    if node.op in _RESHAPE:
        return _MOST_RANK if node.op != "ExpandDims" else ranks[0] + 1, counts[0]
    if node.op in ("Gather", "GatherV2") and len(operands) > 1:
        is_flat = ranks[0] < 2
        return ranks[0] + ranks[1], counts[1] if is_flat else prod(counts[:2])
    return -1, 0


def _find_definition(kind: str, functions: Mapping[str, Any]) -> Any:
    definition = functions.get(kind) or op_def_registry.get(kind)
    if definition is None:
        raise SourceError(f"TensorFlow {tf.__version__} has no operator {kind[:80]!r}, which the graph needs.")
    return definition


def _list_dtypes(node: Any, definition: Any) -> list[int]:
    """Return the dtypes of a node's results; raise `SourceError` for more than can be."""
    defaults = {one.name: one.default_value for one in definition.attr}
    dtypes: list[int] = []

    def read(name: str) -> Any:
        return node.attr[name] if name in node.attr else defaults.get(name, tf.compat.v1.AttrValue())

    for result in definition.output_arg:
        if result.type_list_attr:
            dtypes += read(result.type_list_attr).list.type
            continue
        count = read(result.number_attr).i if result.number_attr else 1
        if count > _MOST_RESULTS:
            raise SourceError(f"the operator {node.name[:80]!r} has {count} results, at most {_MOST_RESULTS} are read.")
        dtypes += [result.type or read(result.type_attr).type] * count
    return dtypes


def _add_guard(graph: Any, nodes: Mapping[str, Any], key: tuple[str, int], functions: Mapping[str, Any]) -> str:
    """Add the node behind one result that keeps its shape, and return the node's name."""
    name, number = key
    dtypes = _list_dtypes(nodes[name], _find_definition(nodes[name].op, functions))
    if number >= len(dtypes):
        raise SourceError(f"the operator {name[:80]!r} has {len(dtypes)} results, and number {number} is taken.")
    guard = f"{name}/guard_{number}"
    while guard in nodes:
        guard += "_"
    added = graph.node.add(name=guard, op="GuaranteeConst", input=[f"{name}:{number}"])
    added.attr["T"].type = dtypes[number]
    return guard
