"""The opset that a model needs: that of PyTorch's exporter, or a later one if an operator of the model begins there."""

import re
from collections.abc import Mapping
from typing import Any

from dummyio.errors import SourceError
from dummyio.huggingface.source.forward_signatures import module_source

BASE_OPSET = 18
"""The opset that PyTorch's exporter writes; for an older one it converts the file afterwards, which can fail."""

OPERATORS: Mapping[str, int] = {
    "scaled_dot_product_attention": 14,  # Trilu, for a causal mask
    "grid_sample": 16,  # GridSample
    "stft": 17,  # STFT
    "irfft": 17,  # DFT
    "rfft": 17,
    "fold": 18,  # Col2Im
    "deform_conv2d": 19,  # DeformConv
    "DeformConv2d": 19,
    "affine_grid": 20,  # AffineGrid
}
"""Function of PyTorch → the first opset with an operator for it."""

_CALL = re.compile(rf"\b({'|'.join(OPERATORS)})\(")


def find_operators(text: str) -> tuple[str, ...]:
    """Return the functions of `OPERATORS` that source text calls, in their order there."""
    return tuple(dict.fromkeys(_CALL.findall(text)))


def choose_opset(text: str) -> int:
    """Return the smallest opset for source text, at least `BASE_OPSET`."""
    return max((BASE_OPSET, *(OPERATORS[name] for name in find_operators(text))))


def read_model_source(model: Any, class_name: str | None, model_type: str | None) -> str:
    """Return the source text of a model: of the modules that define the parts of a live one, else of its class's file.

    Parts whose text cannot be found, such as those of the framework itself, are left out.
    """
    if model is not None and callable(getattr(model, "modules", None)):
        import inspect  # noqa: PLC0415 - lazy: live models only

        texts: dict[type, str] = {}
        for part in model.modules():
            kind = type(part)
            if kind in texts or kind.__module__.split(".")[0] == "torch":
                continue
            try:
                texts[kind] = inspect.getsource(kind)
            except (OSError, TypeError):  # defined in a console, or compiled
                texts[kind] = ""
        return "\n".join(texts.values())
    if class_name is None:
        return ""
    try:
        return "\n".join(module_source(class_name, model_type).values())
    except SourceError:  # a class of remote code, or of another release
        return ""
