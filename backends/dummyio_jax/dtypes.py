"""Canonical dtypes and JAX's, which are NumPy's and ml_dtypes' own.

JAX names the 1-bit integers and the 6-bit floats too, and its runtime refuses every array of them.
"""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp
import numpy as np

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType

__all__ = ["DTYPE_MAPPER", "from_native", "to_native"]

_ABSENT = {DType.INT1, DType.UINT1, DType.FLOAT6_E2M3FN, DType.FLOAT6_E3M2FN, DType.STRING}
DTYPE_MAPPER: dict[DType, np.dtype[Any]] = {
    dtype: dtype.numpy
    for dtype in DType
    if dtype not in _ABSENT and (dtype is DType.BOOL or hasattr(jnp, dtype))  # older versions have fewer
}
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> np.dtype[Any]:
    """Return JAX's dtype; raise `DTypeError` where it has none."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "jax")


def from_native(native: Any) -> DType:
    """Return the canonical dtype of a dtype or scalar type of JAX; raise `DTypeError` where there is none (keys)."""
    try:
        known = np.dtype(native)
    except TypeError:
        known = native
    return to_canonical_dtype(_INVERSE, known, "jax")
