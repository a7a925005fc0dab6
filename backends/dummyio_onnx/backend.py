"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from typing import Any

from dummyio_onnx import signature, tensors
from dummyio_onnx.dtypes import DTYPE_MAPPER

__all__ = ["BACKEND", "OnnxBackend"]


class OnnxBackend:
    """ONNX Runtime."""

    name = "ort"
    dtypes = DTYPE_MAPPER
    flat = True
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves; inputs of a graph are flat, so nobody asks."""
        return layers


BACKEND = OnnxBackend()
