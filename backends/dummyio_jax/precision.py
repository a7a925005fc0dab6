"""64-bit types: JAX computes in 32 bits unless it is told, and narrows what it is given without a word."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from importlib import import_module
from typing import cast

import jax

from dummyio.spec.dtypes import DType

__all__ = ["NARROW", "canonicalize_dtype", "enable_wide_dtypes", "x64"]

NARROW = {
    DType.FLOAT64: DType.FLOAT32,
    DType.COMPLEX128: DType.COMPLEX64,
    DType.INT64: DType.INT32,
    DType.UINT64: DType.UINT32,
}
"""What JAX makes of 64-bit types while ``jax_enable_x64`` is off."""


def x64() -> AbstractContextManager[None]:
    """Return a context with 64-bit types; JAX has moved it once."""
    if hasattr(jax, "enable_x64"):
        return jax.enable_x64(True)
    return cast("AbstractContextManager[None]", import_module("jax.experimental").enable_x64())


def enable_wide_dtypes(dtypes: Iterable[DType]) -> AbstractContextManager[None]:
    """Return a context in which none of these dtypes is narrowed: as JAX is set up, where none is of 64 bits."""
    return x64() if any(dtype in NARROW for dtype in dtypes) else nullcontext()


def canonicalize_dtype(dtype: DType) -> DType:
    """Return what a function sees where it is given an array of `dtype`, as JAX is set up now."""
    return dtype if jax.dtypes.canonicalize_dtype(dtype.numpy) == dtype.numpy else NARROW[dtype]
