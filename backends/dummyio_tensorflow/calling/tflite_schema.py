"""What is in a TFLite file, read from its flatbuffer without running anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dummyio.errors import NotInstalledError, SourceError

__all__ = ["operators", "read_model", "subgraphs"]


def read_model(path: Path) -> Any:
    """Return the root of a file's flatbuffer, as the schema's classes read it.

    Raises
    ------
    SourceError
        for what is no TFLite file.
    """
    schema = _schema()
    data = path.read_bytes()
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise SourceError(f"{path}: no TFLite file: it does not begin as one.")
    return schema.Model.GetRootAs(data, 0)


def _schema() -> Any:
    try:
        from ai_edge_litert import schema_py_generated  # noqa: PLC0415 - for these files only
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "TFLite files need ai-edge-litert, which is not installed. Install it: pip install 'dummyio[tensorflow]'"
        ) from error
    return schema_py_generated


def _kinds(model: Any) -> list[str]:
    """Return the names of a model's operator codes, in their order."""
    names = {value: name for name, value in vars(_schema().BuiltinOperator).items() if isinstance(value, int)}
    found: list[str] = []
    for place in range(model.OperatorCodesLength()):
        code = model.OperatorCodes(place)
        custom = code.CustomCode()
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # codes above 127 are in the wider field
        found.append(custom.decode() if custom else names.get(builtin, str(builtin)))
    return found


def operators(path: Path) -> set[str]:
    """Return the kinds of operations in a file."""
    return set(_kinds(read_model(path)))


def subgraphs(model: Any) -> list[list[tuple[str, list[int], list[int]]]]:
    """Return the operations of each subgraph, as kind, inputs and outputs; tensors by their place, -1 for none."""
    kinds = _kinds(model)
    found: list[list[tuple[str, list[int], list[int]]]] = []
    for place in range(model.SubgraphsLength()):
        graph = model.Subgraphs(place)
        operations: list[tuple[str, list[int], list[int]]] = []
        for index in range(graph.OperatorsLength()):
            op = graph.Operators(index)
            inputs = [int(op.Inputs(i)) for i in range(op.InputsLength())]
            outputs = [int(op.Outputs(i)) for i in range(op.OutputsLength())]
            operations.append((kinds[op.OpcodeIndex()], inputs, outputs))
        found.append(operations)
    return found
