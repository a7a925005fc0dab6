"""The opset for the export of a model: 18, or a later one if the model calls a function whose ONNX operator was added later."""

import re
from collections.abc import Mapping
from typing import Any

from dummyio.huggingface.source.forward_signatures import module_source

BASE_OPSET = 18
"""The opset that PyTorch's exporter writes; for an older one it converts the file afterwards, which can fail."""

OPERATORS: Mapping[str, int] = {
    "deform_conv2d": 19,  # DeformConv
    "DeformConv2d": 19,
    "affine_grid": 20,  # AffineGrid
}
"""Function of PyTorch → the first opset with an operator for it, if that is later than `BASE_OPSET`."""

_CALL = re.compile(rf"\b({'|'.join(OPERATORS)})\(")


def choose_opset(text: str) -> int:
    """Return the smallest opset for source text, at least `BASE_OPSET`."""
    return max((BASE_OPSET, *(OPERATORS[name] for name in _CALL.findall(text))))


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
    return "\n".join(module_source(class_name, model_type).values()) if class_name else ""
