"""Canonical dtypes and NumPy's: ml_dtypes has those that NumPy lacks, so there is one for each."""

from __future__ import annotations

from typing import Any

import numpy as np

from dummyio.spec.dtypes import DType

__all__ = ["DTYPE_MAPPER", "from_native", "to_native"]

DTYPE_MAPPER: dict[DType, np.dtype[Any]] = {dtype: dtype.numpy for dtype in DType}
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> np.dtype[Any]:
    """Return NumPy's dtype."""
    return DTYPE_MAPPER[dtype]


def from_native(native: np.dtype[Any]) -> DType:
    """Return the canonical dtype; raise `DTypeError` where there is none (dates, records)."""
    return _INVERSE[native] if native in _INVERSE else DType.of(native)
