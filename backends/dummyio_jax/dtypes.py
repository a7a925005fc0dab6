"""Canonical dtypes and JAX dtypes, which are those of NumPy and ml_dtypes.

JAX also names 1-bit integers and 6-bit floats, but its runtime refuses arrays of them.
"""

from typing import Any

import jax.numpy as jnp
import numpy as np

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType

_ABSENT = {DType.INT1, DType.UINT1, DType.FLOAT6_E2M3FN, DType.FLOAT6_E3M2FN, DType.STRING}
DTYPE_MAPPER: dict[DType, np.dtype[Any]] = {
    dtype: dtype.numpy
    for dtype in DType
    if dtype not in _ABSENT and (dtype is DType.BOOL or hasattr(jnp, dtype))  # older versions have fewer
}
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> np.dtype[Any]:
    """Return the JAX dtype; raise `DTypeError` if JAX has none."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "jax")


def from_native(native: Any) -> DType:
    """Return the canonical dtype of a JAX dtype or scalar type; raise `DTypeError` if there is none (random keys)."""
    try:
        known = np.dtype(native)
    except TypeError:
        known = native
    return to_canonical_dtype(_INVERSE, known, "jax")
