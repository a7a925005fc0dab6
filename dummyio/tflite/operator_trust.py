"""Parts of a TFLite file that run code or touch files, found in its tables before anything is opened."""

import re
from typing import Any

from dummyio.backend.registry import load_backend
from dummyio.errors import BrokenBackendError, NotInstalledError
from dummyio.tflite.read_model import list_builtin_kinds, list_external_files, list_operator_kinds

FLEX = "Flex"
"""What the names of TensorFlow's operators begin with."""
_FOREIGN = {"CUSTOM", "DELEGATE", "STABLEHLO_CUSTOM_CALL"}
"""Operators in TFLite's own table whose code is elsewhere."""
_HARMLESS = (
    *("TFLite_Detection_PostProcess", "Mfcc", "AudioSpectrogram", "NumericVerify", "Convolution2DTransposeBias"),
    *("MaxPoolingWithArgmax2D", "MaxUnpooling2D", r"aeq\.hadamard_rotation", "Random(StandardNormal|Uniform)"),
    *("Multinomial", r"odml\.(scaled_dot_product_attention|update_kv_cache|update_external_kv_cache)"),
)
"""Custom operators that come with TFLite, as patterns: harmless computation."""


def find_tflite_dangers(model: Any) -> list[str]:
    """Return the parts of a TFLite file that can run code or touch files: operators that are not TFLite's own, weights in other files."""
    known = list_builtin_kinds().keys() - _FOREIGN
    foreign = [kind for kind in dict.fromkeys(list_operator_kinds(model)) if kind not in known]
    found = [f"operator {kind[:80]}" for kind in foreign if not _is_harmless(kind)]
    return found + [f"weights in the file {name[:80]!r}" for name in list_external_files(model)]


def _is_harmless(kind: str) -> bool:
    if kind.startswith(FLEX):
        return _is_harmless_in_tensorflow(kind.removeprefix(FLEX))
    return any(re.fullmatch(pattern, kind) for pattern in _HARMLESS)


def _is_harmless_in_tensorflow(kind: str) -> bool:
    """Whether TensorFlow has the operator, and lists it as harmless; not without TensorFlow, which alone can tell."""
    try:
        backend: Any = load_backend("tf")
    except (NotInstalledError, BrokenBackendError):
        return False
    return backend.is_harmless(kind) is True
