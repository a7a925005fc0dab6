"""Whether a folder consists of what an export writes and of nothing else: only such a folder is replaced by force."""

import os
import re
from pathlib import Path

from dummyio.backend.formats import FORMATS
from dummyio.errors import DummyioError, OutputError, escape_controls
from dummyio.exporting.artifact import SPEC_SUFFIX, spec_path
from dummyio.exporting.companion_files import COPIED, INDEX, WRITTEN
from dummyio.exporting.earlier_report import is_report
from dummyio.input_spec import InputSpec
from dummyio.temporaries import sweep_folder

_SAVED_MODEL = FORMATS["saved_model"].contains
_ONNX = FORMATS["onnx"].suffix
_ONNX_WEIGHTS = re.compile(rf"(?P<model>.+{re.escape(_ONNX)})(?:\.data|_data(?:_\d+)?)")
"""The names that our exporters and those of Optimum give to the weights of an ONNX file."""
_CHECKPOINT = re.compile(r"variables\.(?:index|data-\d{5}-of-\d{5})")
_COMPANIONS = frozenset((*COPIED, *WRITTEN))
PARTS = "onnx"
"""The sub-folder of the ONNX files, where a layout has one."""
_MOST_NAMED = 3


def check_folder_content(folder: Path) -> None:
    """Raise `OutputError` for a folder with anything that an export does not write; it names what it is.

    An export writes ONNX files and their weights, or a SavedModel; next to them their specs and companion files. Earlier reports may be
    there too. A spec and a report are known by their content, a file of a SavedModel's assets by its name in the SavedModel.
    """
    if not folder.is_dir():
        return
    sweep_folder(folder)
    try:
        names = sorted(path.name for path in folder.iterdir())
        other = [name for name in names if not _is_written(folder / name, names)]
    except OSError as error:
        raise OutputError(
            f"{folder}: cannot be read ({error.strerror}), so it is not replaced, not even by force. Choose another name."
        ) from error
    if names and not other and not any(name in (_SAVED_MODEL, PARTS, INDEX) or name.endswith(_ONNX) for name in names):
        other = names
    if other:
        more = f" and {len(other) - _MOST_NAMED} more" if len(other) > _MOST_NAMED else ""
        named = ", ".join(_describe(folder / name) for name in other[:_MOST_NAMED])
        raise OutputError(
            f"{folder}: this folder contains {named}{more}, and such a folder was not written by an export, so it is not replaced, "
            "not even by force. Choose another name, or remove the folder yourself."
        )


def _is_written(path: Path, names: list[str]) -> bool:
    """Return whether an export writes such a file or folder next to the files of these names."""
    if path.is_symlink():
        return False
    has_saved_model = _SAVED_MODEL in names
    if path.is_dir():
        is_part = path.name == PARTS or INDEX in names
        return (has_saved_model and _is_saved_model_part(path)) or (is_part and _has_parts_alone(path, INDEX in names))
    if not path.is_file():
        return False
    name = path.name
    weights = _ONNX_WEIGHTS.fullmatch(name)
    if name == spec_path(path.parent).name or name.endswith(SPEC_SUFFIX):
        return _is_spec(path)
    return (
        (name.endswith(_ONNX) and name != _ONNX)
        or (weights is not None and weights["model"] in names)
        or name == _SAVED_MODEL
        or (name == "fingerprint.pb" and has_saved_model)
        or name in _COMPANIONS
        or (not name.startswith(".") and is_report(path))
    )


def _has_parts_alone(folder: Path, of_pipeline: bool) -> bool:
    """Return whether a folder within another has ONNX files and what is written next to them, and nothing else.

    A pipeline has folders without ONNX files, too: of its tokenizer and its scheduler.
    """
    names = sorted(file.name for file in folder.iterdir())
    has_parts = any(name.endswith(_ONNX) and f"{name}{SPEC_SUFFIX}" in names for name in names)
    return (has_parts or of_pipeline) and all(
        _is_written(folder / name, names) and not (folder / name).is_dir() for name in names
    )


def _is_saved_model_part(folder: Path) -> bool:
    files = list(folder.iterdir())
    if any(file.is_symlink() or not file.is_file() for file in files):
        return False
    if folder.name == "variables":
        return all(_CHECKPOINT.fullmatch(file.name) for file in files)
    if folder.name != "assets":
        return False
    graph = (folder.parent / _SAVED_MODEL).read_bytes() if files else b""
    return all(os.fsencode(file.name) in graph for file in files)


def _is_spec(path: Path) -> bool:
    try:
        InputSpec.load(path)
    except DummyioError:
        return False
    return True


def _describe(path: Path) -> str:
    name = escape_controls(path.name)
    if path.is_symlink():
        return f"the link {name}"
    if path.is_dir():
        return f"the folder {name}"
    return f"{name} (not a spec)" if name.endswith(SPEC_SUFFIX[1:]) and not _is_spec(path) else name
