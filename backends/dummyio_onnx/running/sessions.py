"""Opens a file, a folder or a ``ModelProto`` in an engine, or explains why the engine refuses it."""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from dummyio.backend.formats import FORMATS
from dummyio.errors import OptionError, SourceError, format_error_line
from dummyio_onnx.external_data import iterate_graphs
from dummyio_onnx.read_model import format_opsets, read_model
from dummyio_onnx.running.custom_operators import register_libraries
from dummyio_onnx.running.model_structure import check_structure
from dummyio_onnx.running.wider_floats import widen_bfloat16

_FOLDER = FORMATS["onnx_folder"]
_NEWER = re.compile(r"Unsupported model IR version|is under development|domain_version of|is not a registered function")
_OWN_DOMAINS = re.compile(
    r"(ai\.onnx(\.ml|\.training|\.preview\.training)?|com\.microsoft(\.\w+)?|com\.ms\.\w+|org\.pytorch\.aten)?"
)
"""Domains whose operators ONNX or a build of ONNX Runtime has."""
_MOST_OPERATORS = 5


def _find_file(target: str | os.PathLike[str]) -> Path:
    """Return the file given, or the only one in a folder (``model.onnx`` if there are several)."""
    path = Path(target)
    if not path.is_dir():
        return path
    found = sorted(path.glob(_FOLDER.contains))
    own = path / _FOLDER.main_file
    if own in found or len(found) == 1:
        return own if own in found else found[0]
    if not found:
        raise SourceError(f"{path}: the folder holds no .onnx file.")
    names = ", ".join(file.name for file in found)
    raise SourceError(
        f"{path}: the folder holds several models, {names}, and none of them is model.onnx: open one by its path."
    )


def load_model_proto(target: str | os.PathLike[str] | onnx.ModelProto) -> tuple[Path | None, onnx.ModelProto]:
    """Return a model's path, and its outline, or the model given; raise `SourceError` if it may not be opened."""
    path = None if isinstance(target, onnx.ModelProto) else _find_file(target)
    model = read_model(target if path is None else path, opening=True)
    check_structure(model, path)
    return path, model


def open_session(
    path: Path | None,
    model: onnx.ModelProto,
    *,
    providers: Sequence[str] = ("CPUExecutionProvider",),
    provider_options: Sequence[Mapping[str, Any]] | None = None,
    options: Any = None,
    libraries: Sequence[Path] = (),
) -> ort.InferenceSession:
    """Return a session, by default on the CPU; without `options` it writes no log: the exceptions have the same text.

    `libraries` have custom operators.

    Raises
    ------
    SourceError
        If ONNX Runtime refuses the model: of a newer version, without a kernel, not valid; or refuses a library.
    OptionError
        If this ONNX Runtime has no such provider.
    """
    _check_providers(providers, provider_options)
    source: Any = _write_bytes(model) if path is None else os.fspath(path)
    if options is None:
        options = ort.SessionOptions()
        options.log_severity_level = 4
    register_libraries(options, libraries)
    try:
        # The fallback to other providers would print to stdout, and try the same provider again.
        return ort.InferenceSession(
            source,
            options,
            providers=list(providers),
            provider_options=None if provider_options is None else [dict(each) for each in provider_options],
            enable_fallback=0,
        )
    except Exception as error:  # each status of ONNX Runtime has an exception of its own, without a common base class
        raise _refuse(path, model, f"ONNX Runtime {ort.__version__}", error) from error


def open_wider_session(path: Path | None, model: onnx.ModelProto) -> ort.InferenceSession | None:
    """Return a session of a model in float32 in the place of bfloat16; None if it has no bfloat16, or is refused all the same."""
    try:
        whole = onnx.ModelProto.FromString(model.SerializeToString()) if path is None else onnx.load(path)
        return open_session(None, whole) if widen_bfloat16(whole) else None
    except Exception:  # noqa: BLE001 - above 2 GiB, protobuf's errors; then the refusal of the model itself counts
        return None


def _check_providers(providers: Sequence[str], provider_options: Sequence[Mapping[str, Any]] | None) -> None:
    available = ort.get_available_providers()
    unknown = next((name for name in providers if name not in available), None)
    if unknown is not None or not providers:
        raise OptionError(
            f"provider={unknown!r}: this ONNX Runtime does not have it. It has {', '.join(available)}: choose one of these, or "
            "install the build of onnxruntime that has it."
        )
    if provider_options is not None and len(provider_options) != len(providers):
        raise OptionError(
            f"provider_options has {len(provider_options)} entries for {len(providers)} providers: give one for each."
        )


def _write_bytes(model: onnx.ModelProto) -> bytes:
    try:
        return model.SerializeToString()
    except Exception as error:  # protobuf's EncodeError, or its name in the next version
        raise SourceError(
            f"this ModelProto: protobuf cannot write it ({error}), and ONNX Runtime takes models from memory below 2 GiB. Save "
            "it with its weights in a file next to it, onnx.save(model, path, save_as_external_data=True), and give the path."
        ) from error


def open_evaluator(path: Path | None, model: onnx.ModelProto) -> Any:
    """Return ONNX's own evaluator; raise as `open_session` does."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - lazy: it loads every operator

    try:
        return ReferenceEvaluator(model if path is None else os.fspath(path))
    except Exception as error:
        raise _refuse(path, model, f"the evaluator of onnx {onnx.__version__}", error) from error


def _refuse(path: Path | None, model: onnx.ModelProto, who: str, error: Exception) -> SourceError:
    remedy = "Export it again, or run it where its operators are known."
    if _NEWER.search(str(error)):
        remedy = "Upgrade the runtime, or export the model with an older opset."
    if custom := _list_custom_operators(model):
        remedy = (
            f"{custom} is an extension: register its library of custom operators, custom_ops='lib.so' or --custom-ops lib.so, "
            "or export the model without it."
        )
    return SourceError(
        f"{path or 'this ModelProto'}: {who} does not open it (IR {model.ir_version}, opsets {format_opsets(model)}): "
        f"{format_error_line(error, limit=1000)} {remedy}"
    )


def _list_custom_operators(model: onnx.ModelProto) -> str:
    """Return the operators of domains that only an extension has; an empty text if there are none."""
    functions = {(function.domain, function.name) for function in model.functions}
    nodes = (node for graph in iterate_graphs(model) for node in graph.node)
    found = dict.fromkeys(
        f"{node.domain}.{node.op_type}"
        for node in nodes
        if not _OWN_DOMAINS.fullmatch(node.domain) and (node.domain, node.op_type) not in functions
    )
    return ", ".join(list(found)[:_MOST_OPERATORS])
