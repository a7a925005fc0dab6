"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from typing import Any

from dummyio_jax import signature, tensors
from dummyio_jax.dtypes import DTYPE_MAPPER

__all__ = ["BACKEND", "JaxBackend"]


class JaxBackend:
    """JAX."""

    name = "jax"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves: a JAX function takes any tree of lists, tuples and dicts."""
        return layers


BACKEND = JaxBackend()
