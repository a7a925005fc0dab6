"""JAX backend: arrays of exactly the requested dtype, and shapes whose symbols share one scope."""

from dummyio_jax.backend import BACKEND
from dummyio_jax.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
