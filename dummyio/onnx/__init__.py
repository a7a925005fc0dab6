"""Configurations for ONNX under the names that users of Optimum have, and models that run their files.

>>> from dummyio.onnx import UniversalOnnxConfig
>>> UniversalOnnxConfig("examples/bert-base").get_input_names()
['input_ids', 'attention_mask', 'token_type_ids']

Importing this package loads no framework, and not Transformers.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module `typing` takes long to import
if TYPE_CHECKING:
    from typing import Any

    from dummyio.onnx.detect_task import detect_task
    from dummyio.onnx.universal_config import UniversalOnnxConfig

    AutoModelForONNX: Any

__all__ = ["AutoModelForONNX", "UniversalOnnxConfig", "detect_task"]

_LAZY = {"UniversalOnnxConfig": "dummyio.onnx.universal_config", "detect_task": "dummyio.onnx.detect_task"}
"""Public names and their modules, which are imported on first use."""


def __getattr__(name: str) -> Any:
    """Import a public name on first use."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415 - a name at the top would be a public one

        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value
    if name == "AutoModelForONNX":
        from dummyio.backend.registry import load_backend  # noqa: PLC0415 - lazy: it needs ONNX Runtime

        backend: Any = load_backend("ort")
        value = globals()[name] = backend.auto_model()
        return value
    raise AttributeError(f"module 'dummyio.onnx' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the package, also those that are not imported yet."""
    return sorted({*globals(), *__all__})
