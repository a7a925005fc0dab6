"""Describe a model's inputs once, as data; materialize them in any framework, with the same values.

>>> import dummyio
>>> spec = dummyio.describe("examples/bert-base/config.json")
>>> sorted(spec.generate(framework="np", batch_size=4))
['attention_mask', 'input_ids', 'token_type_ids']
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dummyio import errors, values
from dummyio.backend import available_backends, load_backend
from dummyio.describe import capture, describe, generate
from dummyio.dims import Dim, DimExpr
from dummyio.dtypes import DType
from dummyio.errors import DummyioError
from dummyio.spec import InputSpec, OutputSpec
from dummyio.tensor import Nest, TensorSpec

if TYPE_CHECKING:
    from dummyio.materialize import materialize_part

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
    "generate",
    "load_backend",
    "materialize_part",
    "values",
]

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    """Import what describing does not need when it is asked for."""
    if name == "materialize_part":
        from dummyio.materialize import materialize_part  # noqa: PLC0415 - the reason for this function

        return materialize_part
    raise AttributeError(f"module 'dummyio' has no attribute {name!r}")
