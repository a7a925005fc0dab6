"""Describe a model's inputs once, as data; make them in any framework, with the same values.

>>> import dummyio
>>> spec = dummyio.describe("examples/bert-base/config.json")
>>> sorted(spec.generate(framework="np", batch_size=4))
['attention_mask', 'input_ids', 'token_type_ids']
"""

import sys
from typing import TYPE_CHECKING, Any

from dummyio import errors
from dummyio.backend.registry import available_backends, load_backend
from dummyio.describing import capture, describe, generate
from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.spec import values
from dummyio.spec.dims import Dim, DimExpr
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, TensorSpec

if TYPE_CHECKING:
    from dummyio.exporting.export import export
    from dummyio.materialize.generate import materialize_part
    from dummyio.running.runner import open_runner
    from dummyio.validation import validate

__all__ = [
    "DType",
    "Dim",
    "DimExpr",
    "DummyioError",
    "InputSpec",
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

sys.modules[f"{__name__}.values"] = values  # `from dummyio.values import TokenIds` works like the attribute

_LAZY = {
    "export": "dummyio.exporting.export",
    "materialize_part": "dummyio.materialize.generate",
    "open_runner": "dummyio.running.runner",
    "validate": "dummyio.validation",
}
"""Names that describing does not need, and their modules; lazy: start-up time."""


def __getattr__(name: str) -> Any:
    """Import one of the `_LAZY` names on first use."""
    if name in _LAZY:
        from importlib import import_module  # noqa: PLC0415 - a name at the top would be a public one

        value = globals()[name] = getattr(import_module(_LAZY[name]), name)
        return value
    raise AttributeError(f"module 'dummyio' has no attribute {name!r}")
