"""Describe a model's inputs once, as data; make them in any framework, with the same values.

>>> import dummyio
>>> spec = dummyio.describe("examples/bert-base/config.json")
>>> sorted(spec.generate(framework="np", batch_size=4))
['attention_mask', 'input_ids', 'token_type_ids']
"""

from __future__ import annotations

TYPE_CHECKING = False  # the module `typing` takes longer to import than all that is imported here
if TYPE_CHECKING:
    from typing import Any

    from dummyio import errors, values
    from dummyio.backend.registry import available_backends, load_backend
    from dummyio.describing import capture, describe, generate
    from dummyio.errors import DummyioError
    from dummyio.exporting.export import export
    from dummyio.input_spec import InputSpec
    from dummyio.materialize.generate import materialize_part
    from dummyio.running.runner import open_runner
    from dummyio.spec.dims import Dim, DimExpr
    from dummyio.spec.dtypes import DType
    from dummyio.spec.model_parts import ModelParts
    from dummyio.spec.spec_data import OutputSpec
    from dummyio.spec.tensor_spec import Nest, TensorSpec
    from dummyio.validation import validate

__all__ = [
    "DType",
    "Dim",
    "DimExpr",
    "DummyioError",
    "InputSpec",
    "ModelParts",
    "Nest",
    "OutputSpec",
    "TensorSpec",
    "__version__",
    "available_backends",
    "capture",
    "describe",
    "errors",
    "export",
    "generate",
    "load_backend",
    "materialize_part",
    "open_runner",
    "validate",
    "values",
]

__version__ = "0.1.0"

_LAZY = {
    "DType": "dummyio.spec.dtypes",
    "Dim": "dummyio.spec.dims",
    "DimExpr": "dummyio.spec.dims",
    "DummyioError": "dummyio.errors",
    "InputSpec": "dummyio.input_spec",
    "ModelParts": "dummyio.spec.model_parts",
    "Nest": "dummyio.spec.tensor_spec",
    "OutputSpec": "dummyio.spec.spec_data",
    "TensorSpec": "dummyio.spec.tensor_spec",
    "available_backends": "dummyio.backend.registry",
    "capture": "dummyio.describing",
    "describe": "dummyio.describing",
    "errors": "",
    "export": "dummyio.exporting.export",
    "generate": "dummyio.describing",
    "load_backend": "dummyio.backend.registry",
    "materialize_part": "dummyio.materialize.generate",
    "open_runner": "dummyio.running.runner",
    "validate": "dummyio.validation",
    "values": "",
}
"""Public names and their modules; "" for a module itself. All are imported on first use: importing NumPy takes longer than the
program ``dummyio`` may take before it handles an interrupt."""


def __getattr__(name: str) -> Any:
    """Import one of the `_LAZY` names on first use."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415 - a name at the top would be a public one

        module = import_module(_LAZY[name] or f"{__name__}.{name}")
        value = globals()[name] = getattr(module, name) if _LAZY[name] else module
        return value
    raise AttributeError(f"module 'dummyio' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the module, also those that are not imported yet."""
    return sorted({*globals(), *_LAZY})
