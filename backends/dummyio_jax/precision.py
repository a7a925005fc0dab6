"""64-bit dtypes in JAX. JAX computes in 32 bits by default and silently narrows 64-bit inputs."""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

import jax

from dummyio.spec.dtypes import DType

NARROW = {
    DType.FLOAT64: DType.FLOAT32,
    DType.COMPLEX128: DType.COMPLEX64,
    DType.INT64: DType.INT32,
    DType.UINT64: DType.UINT32,
}
"""64-bit dtype → the dtype that JAX narrows it to while ``jax_enable_x64`` is off."""


def enable_wide_dtypes(dtypes: Iterable[DType]) -> AbstractContextManager[None]:
    """Return a context that narrows none of these dtypes; it changes nothing if none of them has 64 bits."""
    return jax.enable_x64(True) if any(dtype in NARROW for dtype in dtypes) else nullcontext()


def canonicalize_dtype(dtype: DType) -> DType:
    """Return the dtype that a function sees if it is given an array of `dtype`, in JAX's current configuration."""
    return dtype if jax.dtypes.canonicalize_dtype(dtype.numpy) == dtype.numpy else NARROW[dtype]
