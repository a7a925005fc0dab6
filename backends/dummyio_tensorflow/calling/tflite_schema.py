"""The operators of a TFLite file, read from its flatbuffer without running it."""

from importlib import import_module
from pathlib import Path
from typing import Any

from dummyio.errors import NotInstalledError, SourceError


def import_litert() -> Any:
    """Return the package ``ai_edge_litert`` with its interpreter and its schema; raise `NotInstalledError` without it."""
    try:
        for module in ("interpreter", "schema_py_generated"):
            import_module(f"ai_edge_litert.{module}")  # lazy: for TFLite files only
        return import_module("ai_edge_litert")
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "TFLite files need ai-edge-litert, which is not installed. Install it: pip install 'dummyio[tensorflow]'"
        ) from error


def read_model(path: Path) -> Any:
    """Return the root of a file's flatbuffer, as the schema's classes read it; raise `SourceError` for another file."""
    schema = import_litert().schema_py_generated
    data = path.read_bytes()
    if len(data) < 8 or data[4:8] != b"TFL3":
        raise SourceError(f"{path} is not a TFLite file: such a file has TFL3 as its bytes 4 to 7.")
    return schema.Model.GetRootAs(data, 0)


def list_operator_kinds(model: Any) -> list[str]:
    """Return the kinds of a model's operators, ``FULLY_CONNECTED`` or a custom operator's name, in the order of their codes."""
    builtins = vars(import_litert().schema_py_generated.BuiltinOperator)
    names = {value: name for name, value in builtins.items() if isinstance(value, int)}
    found: list[str] = []
    for code in map(model.OperatorCodes, range(model.OperatorCodesLength())):
        custom = code.CustomCode()
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # codes above 127 are in the wider field
        found.append(custom.decode() if custom else names.get(builtin, str(builtin)))
    return found


def list_operators(model: Any, graph: Any) -> list[tuple[str, list[int], list[int]]]:
    """Return the operators of one subgraph as kind, inputs and outputs; tensors by their number, -1 for an absent one."""
    kinds = list_operator_kinds(model)
    return [
        (
            kinds[op.OpcodeIndex()],
            [int(op.Inputs(index)) for index in range(op.InputsLength())],
            [int(op.Outputs(index)) for index in range(op.OutputsLength())],
        )
        for op in map(graph.Operators, range(graph.OperatorsLength()))
    ]
