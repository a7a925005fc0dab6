"""From a file, a folder or a ``ModelProto`` to something that runs, or to an error that says why not."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import onnx
import onnxruntime as ort

from dummyio.backend.formats import FORMATS
from dummyio.errors import SourceError
from dummyio_onnx.read_model import read_model

__all__ = ["load_model_proto", "locate", "open_evaluator", "open_session"]

_FOLDER = FORMATS["onnx_folder"]
_NEWER = re.compile(r"Unsupported model IR version|is under development|domain_version of|is not a registered function")


def locate(target: str | os.PathLike[str]) -> Path:
    """Return the file to open: the one given, or the one that a folder holds (``model.onnx``, where it holds several)."""
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
        f"{path}: the folder holds several models, {names}, and none is model.onnx: open one by its path."
    )


def load_model_proto(target: str | os.PathLike[str] | onnx.ModelProto) -> tuple[Path | None, onnx.ModelProto]:
    """Return where a model lies, and the model without external data; errors as `read_model`."""
    path = None if isinstance(target, onnx.ModelProto) else locate(target)
    return path, read_model(target if path is None else path)


def open_session(path: Path | None, model: onnx.ModelProto) -> ort.InferenceSession:
    """Return a session on the CPU, which writes no log: what it would say is in the exceptions.

    Raises
    ------
    SourceError
        where ONNX Runtime refuses the model: of a newer version, without a kernel, not valid.
    """
    options = ort.SessionOptions()
    options.log_severity_level = 4
    try:
        source: Any = model.SerializeToString() if path is None else os.fspath(path)
        return ort.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # each status of ONNX Runtime's has an exception of its own, below no common one
        raise _refused(path, model, f"ONNX Runtime {ort.__version__}", error) from error


def open_evaluator(path: Path | None, model: onnx.ModelProto) -> Any:
    """Return ONNX's own evaluator; errors as `open_session`."""
    from onnx.reference import ReferenceEvaluator  # noqa: PLC0415 - it loads every operator

    try:
        return ReferenceEvaluator(model if path is None else os.fspath(path))
    except Exception as error:
        raise _refused(path, model, f"the evaluator of onnx {onnx.__version__}", error) from error


def _refused(path: Path | None, model: onnx.ModelProto, who: str, error: Exception) -> SourceError:
    text = " ".join(str(error).split())
    opsets = ", ".join(f"{opset.domain or 'ai.onnx'} {opset.version}" for opset in model.opset_import)
    remedy = "Export it again, or run it where its operators are known."
    if _NEWER.search(text):
        remedy = "Upgrade the runtime, or export the model with an older opset."
    return SourceError(
        f"{path or 'this ModelProto'}: {who} does not open it (IR {model.ir_version}, opsets {opsets}): {text} {remedy}"
    )
