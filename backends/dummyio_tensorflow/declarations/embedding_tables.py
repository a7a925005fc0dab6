"""Which table an input's elements index, and how long a sequence can be: read from a graph, whichever it is.

A walk along the operations follows the elements of each input through what leaves them as they are, up to where they choose
rows of a table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import tensorflow as tf

__all__ = ["Operation", "Slice", "TableFacts", "find_graph_tables", "find_indexed_tables"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation: its kind and name, and the keys of the tensors that it takes and returns."""

    kind: str
    name: str
    inputs: tuple[object, ...]
    outputs: tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Slice:
    """A table of which a part is taken, as long as some sequence."""

    rows: int
    axis: int
    name: str
    """The operation's name."""

    table: str

    def taken(self, graph: Any) -> int | None:
        """Return how many rows are taken in another graph of the model; None where that shows nothing.

        Operations are found by their scope: in a graph whose sizes are known there are fewer, and their numbers differ.
        """
        for op in graph.get_operations():
            if op.name.rpartition("/")[0] == self.name.rpartition("/")[0] and _is_part_of_table(op):
                table, part = _shape(op.inputs[0]), _shape(op.outputs[0])
                if table is None or part is None or not len(table) == len(part) > self.axis:
                    continue
                if table[self.axis] == self.rows:
                    return part[self.axis]
        return None


@dataclass(frozen=True, slots=True)
class TableFacts:
    """What a graph shows of its inputs."""

    rows: Mapping[str, tuple[int, str]]
    """Input → its elements are below this, the rows of the table named."""

    slices: tuple[Slice, ...] = ()
    """Tables of which as many rows are taken as a sequence is long."""


_ALIKE = {
    *("Cast", "Identity", "Reshape", "ExpandDims", "Squeeze", "StridedSlice", "Slice", "Transpose", "StopGradient"),
    *("BroadcastTo", "Tile", "Pad", "PadV2", "ConcatV2", "Pack", "SelectV2", "Select", "Minimum", "Maximum"),
    *("ClipByValue", "EnsureShape", "Abs", "Unpack", "SplitV", "Split"),
    *("CAST", "RESHAPE", "EXPAND_DIMS", "SQUEEZE", "STRIDED_SLICE", "SLICE", "TRANSPOSE", "BROADCAST_TO", "TILE"),
    *("PAD", "PADV2", "CONCATENATION", "PACK", "SELECT", "SELECT_V2", "MINIMUM", "MAXIMUM", "ABS", "UNPACK"),
}
"""Operations that hand elements on as they are, or make them smaller."""

_GATHERS = {
    "GatherV2": 1,
    "Gather": 1,
    "ResourceGather": 1,
    "GATHER": 1,
    "EMBEDDING_LOOKUP": 0,
    "OneHot": 0,
    "ONE_HOT": 0,
}
"""Operations that choose by index → which of their inputs the indices are."""


def find_indexed_tables(
    operations: Iterable[Operation], origins: Mapping[Any, str], rows: Callable[[Operation], int | None]
) -> dict[str, tuple[int, str]]:
    """Return input → (rows, table) for all inputs whose elements choose rows of a table of known length.

    Parameters
    ----------
    operations
        In an order in which values are made before they are taken.
    origins
        The key of each input's tensor → its path.
    rows
        How many rows an operation that chooses by index chooses from; None where that varies.
    """
    known: dict[object, frozenset[str]] = {key: frozenset({path}) for key, path in origins.items()}
    found: dict[str, tuple[int, str]] = {}
    for op in operations:
        if op.kind in _GATHERS and len(op.inputs) > _GATHERS[op.kind]:
            count = rows(op)
            for path in known.get(op.inputs[_GATHERS[op.kind]], ()) if count else ():
                if path not in found or (count or 0) < found[path][0]:
                    found[path] = (count or 0, op.name)
        elif op.kind in _ALIKE:
            paths = frozenset().union(*(known.get(key, frozenset[str]()) for key in op.inputs))
            if paths:
                known |= dict.fromkeys(op.outputs, paths)
    return found


def find_graph_tables(graph: Any, inputs: Mapping[str, str]) -> TableFacts:
    """Return what a TensorFlow graph shows; `inputs` is the name of a placeholder's tensor → path."""
    operations = graph.get_operations()
    by_name = {op.name: op for op in operations}
    each = (
        Operation(op.type, op.name, tuple(t.name for t in op.inputs), tuple(t.name for t in op.outputs))
        for op in operations
    )
    found = find_indexed_tables(each, inputs, lambda op: _rows(by_name[op.name]))
    rows = {path: (count, _table(by_name[name])) for path, (count, name) in found.items()}
    return TableFacts(rows, tuple(filter(None, map(_slice, operations))))


def _rows(op: Any) -> int | None:
    if op.type == "OneHot":
        depth = tf.get_static_value(op.inputs[1])
        return int(depth) if depth is not None else None
    shape = _shape(op.inputs[0])
    axis = tf.get_static_value(op.inputs[2]) if op.type == "GatherV2" else 0
    if shape is None or axis is None or (op.type == "GatherV2" and op.get_attr("batch_dims") != 0):
        return None
    axis = int(axis)
    return shape[axis] if -len(shape) <= axis < len(shape) else None


def _shape(tensor: Any) -> list[int | None] | None:
    """Return a tensor's shape; that of what it refers to, where it is a variable's handle."""
    shape = tensor.shape
    if tensor.dtype == tf.resource:
        data = getattr(tensor, "_handle_data", None)
        if data is None or not data.is_set or not data.shape_and_type:
            return None
        shape = tf.TensorShape(data.shape_and_type[0].shape)
    return None if shape.rank is None else list(shape.as_list())


def _table(op: Any) -> str:
    return str(op.name).replace("/ReadVariableOp", "").rsplit("/", 1)[0]


def _slice(op: Any) -> Slice | None:
    """Return the table of which an operation takes a part as long as some sequence."""
    if not _is_part_of_table(op):
        return None
    table, part = _shape(op.inputs[0]), _shape(op.outputs[0])
    if table is None or part is None or len(table) != len(part) or len(table) < 2:
        return None
    axes = [
        axis for axis, (have, left) in enumerate(zip(table, part, strict=True)) if left is None and have is not None
    ]
    return Slice(table[axes[0]] or 0, axes[0], op.name, _table(op)) if len(axes) == 1 else None


def _is_part_of_table(op: Any) -> bool:
    return op.type in ("Slice", "StridedSlice") and op.inputs[0].op.type in ("ReadVariableOp", "Const")
