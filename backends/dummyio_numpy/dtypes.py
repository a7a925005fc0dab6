"""Canonical dtypes and NumPy dtypes, one for each: ml_dtypes has those that NumPy lacks."""

from typing import Any

import numpy as np

from dummyio.spec.dtypes import DType

DTYPE_MAPPER: dict[DType, np.dtype[Any]] = {dtype: dtype.numpy for dtype in DType}


def to_native(dtype: DType) -> np.dtype[Any]:
    """Return the NumPy dtype."""
    return DTYPE_MAPPER[dtype]


def from_native(native: np.dtype[Any]) -> DType:
    """Return the canonical dtype; raise `DTypeError` if there is none (dates, records)."""
    return DType.of(native)
