"""The operators of a TFLite file, read from its flatbuffer without running it."""

import contextlib
import mmap
from collections.abc import Generator
from importlib import import_module
from pathlib import Path
from typing import Any

from dummyio.errors import DummyioError, NotInstalledError, SourceError, format_error_line


def import_litert() -> Any:
    """Return the package ``ai_edge_litert`` with its interpreter and its schema; raise `NotInstalledError` without it."""
    try:
        for module in ("interpreter", "schema_py_generated"):
            import_module(f"ai_edge_litert.{module}")  # lazy: for TFLite files only
        return import_module("ai_edge_litert")
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "TFLite files need ai-edge-litert, which is not installed. Install it: pip install 'dummyio[litert]'"
        ) from error


def read_model(path: Path) -> Any:
    """Return the root of a file's flatbuffer, as the schema's classes read it; raise `SourceError` for another file."""
    schema = import_litert().schema_py_generated
    with path.open("rb") as stream:
        start = stream.read(8)
        if len(start) < 8 or start[4:] != b"TFL3":
            raise SourceError(f"{path} is not a TFLite file: such a file has TFL3 as its bytes 4 to 7.")
        data = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)  # weights stay on the disk
    with refuse_damage(path):
        return schema.Model.GetRootAs(data, 0)


@contextlib.contextmanager
def refuse_damage(path: Path) -> Generator[None]:
    """Raise `SourceError` for what reading a damaged file raises: offsets lead anywhere, and bytes are not a text."""
    try:
        yield
    except DummyioError:
        raise
    except Exception as error:
        raise SourceError(
            f"{path}: LiteRT does not read it: {format_error_line(error)} It may be damaged, or need a newer ai-edge-litert."
        ) from error


def list_builtin_kinds() -> dict[str, int]:
    """Return the operators of TFLite itself, ``FULLY_CONNECTED`` → its code."""
    builtins = vars(import_litert().schema_py_generated.BuiltinOperator)
    return {name: value for name, value in builtins.items() if isinstance(value, int)}


def list_operator_kinds(model: Any) -> list[str]:
    """Return the kinds of a model's operators, ``FULLY_CONNECTED`` or a custom operator's name, in the order of their codes."""
    builtins = list_builtin_kinds()
    names = {value: name for name, value in builtins.items()}
    found: list[str] = []
    for code in map(model.OperatorCodes, range(model.OperatorCodesLength())):
        custom = (code.CustomCode() or b"").decode("utf-8", "replace")
        builtin = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())  # codes above 127 are in the wider field
        # A custom operator may have any name, that of another one too.
        found.append((f"custom {custom}" if custom in builtins else custom) or names.get(builtin, str(builtin)))
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


def keeps_state(model: Any) -> bool:
    """Whether a file has variables: what one call writes, the next one reads."""
    graphs = map(model.Subgraphs, range(model.SubgraphsLength()))
    return "VAR_HANDLE" in list_operator_kinds(model) or any(
        graph.Tensors(index).IsVariable() for graph in graphs for index in range(graph.TensorsLength())
    )


def list_external_files(model: Any) -> list[str]:
    """Return the names of the files outside of a model that have a part of its weights."""
    if not hasattr(model, "ExternalBufferGroups"):  # a LiteRT that has no such files
        return []
    groups = map(model.ExternalBufferGroups, range(model.ExternalBufferGroupsLength()))
    return [(group.Name() or b"").decode("utf-8", "replace") for group in groups]
