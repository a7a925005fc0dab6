"""JAX: arrays of exactly the dtype asked for, and shapes with symbols of one scope."""

from dummyio_jax.backend import BACKEND
from dummyio_jax.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
