"""Options that only some targets of a runner have: a signature of several, libraries of operators."""

import os
from collections.abc import Container, Mapping
from pathlib import Path
from typing import Any

from dummyio.backend.formats import detect_path_format, is_present
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.errors import OptionError

_OF_FORMATS: Mapping[str, tuple[str, ...]] = {
    "signature": ("saved_model", "tflite"),
    "custom_ops": ("onnx", "onnx_folder", "ort"),
}
"""Option → the formats that have it."""
_OF_FRAMEWORKS: Mapping[str, str] = {"signature": "tf", "custom_ops": "ort"}
"""Option → the framework whose models in memory have it."""
_NOUNS: Mapping[str, str] = {"signature": "signatures", "custom_ops": "libraries of operators"}


def choose_file_options(target: Any, signature: str | None, custom_ops: Any) -> dict[str, Any]:
    """Return those of the given options that a target has; `dummyio.describe` and `dummyio.open_runner` take them."""
    given = {"signature": signature, "custom_ops": custom_ops}
    return {name: value for name, value in given.items() if value is not None and _has_option(target, name)}


def _has_option(target: Any, name: str) -> bool:
    if isinstance(target, (str, os.PathLike)):
        kind = detect_path_format(target) if is_present(target) else None
        return kind is not None and kind.name in _OF_FORMATS[name]
    if target is None or detect_framework(target) != _OF_FRAMEWORKS[name]:
        return False
    roots = {base.__module__.partition(".")[0] for base in type(target).__mro__}
    return not roots & {"keras", "tf_keras"}  # a Keras model is called as a whole


def refuse_unused(given: Mapping[str, Any], taken: Container[str], target: Any) -> None:
    """Raise `OptionError` for a given option that is not `taken`."""
    for name, value in given.items():
        if value is not None and name not in taken:
            label = target if isinstance(target, (str, Path)) else f"a {qualified_name(target)}"
            raise OptionError(f"{name}={value!r}: {label} has no {_NOUNS[name]}. Leave the option out.")
