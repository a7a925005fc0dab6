"""Which inputs of a graph are indices into a table of it, such as token ids, and how many rows the table has."""

from collections.abc import Mapping

import onnx

from dummyio_onnx.analysis.flat_graph import iterate_operations, read_constants

_CARRIES = frozenset({"Identity", "Cast", "Reshape", "Squeeze", "Unsqueeze", "Flatten"})
"""Operations whose result has the elements of their first input."""

_TABLES = frozenset({"Identity", "Cast", "DequantizeLinear"})
"""Operations that keep the rows of a table."""


def find_index_tables(model: onnx.ModelProto) -> Mapping[str, int]:
    """Return input → the rows of the smallest table that its own elements choose from; other inputs are left out."""
    inputs = {value.name: value.name for value in model.graph.input}
    rows = {name: constant.dims[0] for name, constant in read_constants(model).items() if len(constant.dims) > 1}
    found: dict[str, int] = {}
    for op in iterate_operations(model):
        source = op.input(0)
        if op.kind == "Gather" and op.number("axis", 0) == 0 and op.input(1) in inputs and source in rows:
            name = inputs[op.input(1)]
            found[name] = min(rows[source], found.get(name, rows[source]))
        elif op.kind in _CARRIES and source in inputs and op.outputs:
            inputs[op.outputs[0]] = inputs[source]
        if op.kind in _TABLES and source in rows and op.outputs:
            rows[op.outputs[0]] = rows[source]
    return found
