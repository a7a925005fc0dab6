"""The tables that inputs index, and the longest sequence, from a graph of TensorFlow."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from dummyio.sources.graph.indexed_tables import Operation, find_indexed_tables


@dataclass(frozen=True, slots=True)
class Slice:
    """A table, and the operation that takes as many of its rows as a sequence is long."""

    rows: int
    axis: int
    name: str
    """The operation's name."""

    table: str

    def count_rows(self, graph: Any) -> int | None:
        """Return the number of rows that are taken in another graph of the model; None if it is not found there.

        Operations are found by their scope: in a graph whose sizes are known there are fewer, and their numbers differ.
        """
        for op in graph.get_operations():
            if op.name.rpartition("/")[0] == self.name.rpartition("/")[0] and _takes_rows(op):
                table, part = _shape(op.inputs[0]), _shape_taken(op)
                if table is None or part is None or not len(table) == len(part) > self.axis:
                    continue
                if table[self.axis] == self.rows:
                    return part[self.axis]
        return None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """Facts of a graph about the values and sizes of its inputs."""

    rows: Mapping[str, tuple[int, str]]
    """Input → the number of rows of the table that it indexes, and the table's name."""

    slices: tuple[Slice, ...] = ()
    """Tables of positions."""

    axes: Mapping[str, tuple[str, int]] = field(default_factory=dict[str, tuple[str, int]])
    """Input → the other input whose elements it chooses, and the axis of these."""


_PASS_THROUGH = {
    *("Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "StridedSlice", "Slice", "Transpose", "StopGradient"),
    *("BroadcastTo", "Tile", "Pad", "PadV2", "ConcatV2", "Pack", "SelectV2", "Select", "Minimum", "Maximum"),
    *("ClipByValue", "EnsureShape", "Abs", "Unpack", "SplitV", "Split"),
}
"""Operations whose results are elements of their inputs, or smaller."""

_GATHERS: dict[str, int] = {"GatherV2": 1, "Gather": 1, "ResourceGather": 1, "OneHot": 0}
"""Operations that choose by index → the number of the input with the indices."""


def find_graph_tables(graph: Any, inputs: Mapping[str, str]) -> TableFacts:
    """Return the facts of a TensorFlow graph; `inputs` is the name of a placeholder's tensor → path."""
    operations = graph.get_operations()
    by_name = {op.name: op for op in operations}
    each = (
        Operation(op.type, op.name, tuple(t.name for t in op.inputs), tuple(t.name for t in op.outputs))
        for op in operations
    )
    found = find_indexed_tables(
        each, inputs, lambda op: _count_rows(by_name[op.name]), passing=_PASS_THROUGH, choosing=_GATHERS
    )
    rows = {path: (count, _table_name(name)) for path, (count, name) in found.items()}
    return TableFacts(rows, tuple(filter(None, map(_find_slice, operations))), _find_chosen_axes(operations, inputs))


def _find_chosen_axes(operations: Iterable[Any], inputs: Mapping[str, str]) -> dict[str, tuple[str, int]]:
    """Return input → (other input, axis) where an operation chooses elements of an input by another one."""
    known: dict[str, frozenset[str]] = {key: frozenset({path}) for key, path in inputs.items()}
    whole = dict(inputs)
    found: dict[str, tuple[str, int]] = {}
    for op in operations:
        keys = [tensor.name for tensor in op.inputs]
        if op.type == "Identity" and keys[0] in whole:
            whole[op.outputs[0].name] = whole[keys[0]]
        if op.type in ("GatherV2", "Gather") and keys[0] in whole and (axis := _chosen_axis(op)) is not None:
            found |= {path: (whole[keys[0]], axis) for path in known.get(keys[1], ()) if path not in found}
        elif op.type in _PASS_THROUGH:
            paths = frozenset[str]().union(*(known.get(key, frozenset[str]()) for key in keys))
            known |= {tensor.name: paths for tensor in op.outputs}
    return found


def _chosen_axis(op: Any) -> int | None:
    """Return the axis along which an operation chooses rows; None if it is not known."""
    if op.type != "GatherV2":
        return 0
    return _read_number(op.inputs[2]) if op.get_attr("batch_dims") == 0 else None


def _count_rows(op: Any) -> int | None:
    if op.type == "OneHot":
        return _read_number(op.inputs[1])
    shape, axis = _shape(op.inputs[0]), _chosen_axis(op)
    if shape is None or axis is None:
        return None
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def _read_number(tensor: Any) -> int | None:
    """Return a constant number; a constant of more elements, which a file may declare at no cost, is not made."""
    try:
        value = tf.get_static_value(tensor) if tensor.shape.rank == 0 else None
    except RecursionError:  # it follows operators by calling itself
        return None
    return None if value is None else int(value)


def _shape(tensor: Any) -> list[int | None] | None:
    """Return a tensor's shape; of a variable's handle, the shape of the variable."""
    shape = tensor.shape
    if tensor.dtype == tf.resource:
        handle = tensor.op
        while handle.type == "Identity":
            handle = handle.inputs[0].op
        if handle.type == "VarHandleOp":
            return _shape_list(tf.TensorShape(handle.get_attr("shape")))
        data = getattr(tensor, "_handle_data", None)
        if data is None or not data.is_set or not data.shape_and_type:
            return None
        shape = tf.TensorShape(data.shape_and_type[0].shape)
    return _shape_list(shape)


def _shape_list(shape: Any) -> list[int | None] | None:
    return None if shape.rank is None else list(shape.as_list())


def _table_name(operation: str) -> str:
    return operation.replace("/ReadVariableOp", "").rsplit("/", 1)[0]


def _find_slice(op: Any) -> Slice | None:
    """Return the table of which an operation takes as many rows as a sequence is long; None for another operation."""
    if not _takes_rows(op):
        return None
    table, part = _shape(op.inputs[0]), _shape_taken(op)
    if table is None or part is None or len(table) != len(part) or len(table) < 2:
        return None
    sizes = enumerate(zip(table, part, strict=True))
    dynamic = [(axis, rows) for axis, (rows, taken) in sizes if taken is None and rows is not None]
    if len(dynamic) != 1:
        return None
    (axis, rows) = dynamic[0]
    return Slice(rows, axis, op.name, _table_name(op.name))


def _takes_rows(op: Any) -> bool:
    """Whether an operation takes rows of a table: a slice of it, or those at the places from 0 on."""
    if op.type in ("Slice", "StridedSlice"):
        source = op.inputs[0].op
        while source.type == "Identity":
            source = source.inputs[0].op
        return source.type in ("ReadVariableOp", "Const")
    return op.type in ("GatherV2", "ResourceGather") and _find_places(op.inputs[1]).type == "Range"


def _find_places(indices: Any) -> Any:
    """Return the operation that makes indices, behind changes of their dtype, further axes, and negative ones."""
    op = indices.op
    while op.type in ("Identity", "Cast", "ExpandDims", "SelectV2") or (op.type == "StridedSlice" and _adds_axis(op)):
        op = op.inputs[-1 if op.type == "SelectV2" else 0].op  # the other choice is a place that counts from the end
    return op


def _adds_axis(op: Any) -> bool:
    before, after = op.inputs[0].shape.rank, op.outputs[0].shape.rank
    return before is not None and after is not None and after > before


def _shape_taken(op: Any) -> list[int | None] | None:
    """Return the shape of the rows that an operation takes from a table."""
    if op.type in ("Slice", "StridedSlice"):
        return _shape(op.outputs[0])
    table, places = _shape(op.inputs[0]), _shape(_find_places(op.inputs[1]).outputs[0])
    axis = _chosen_axis(op)
    if not table or not places or axis is None or not -len(table) <= axis < len(table):
        return None
    axis %= len(table)
    return [*table[:axis], places[0], *table[axis + 1 :]]
