"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from typing import Any

from dummyio_tensorflow import signature, tensors
from dummyio_tensorflow.dtypes import DTYPE_MAPPER

__all__ = ["BACKEND", "TensorflowBackend"]


class TensorflowBackend:
    """TensorFlow."""

    name = "tf"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def cache(self, layers: list[Any]) -> Any:
        """Return a tuple of the layers, as TensorFlow's models take and return their past."""
        return tuple(layers)


BACKEND = TensorflowBackend()
