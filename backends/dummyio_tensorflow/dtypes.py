"""Canonical dtypes and TensorFlow's: those that this version of TensorFlow knows."""

from __future__ import annotations

from typing import Any

import tensorflow as tf

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType

__all__ = ["DTYPE_MAPPER", "from_native", "to_native"]


def _known() -> dict[DType, Any]:
    found = {DType.STRING: tf.string}
    for dtype in DType:
        if dtype is not DType.STRING:
            try:
                found[dtype] = tf.dtypes.as_dtype(dtype.numpy)
            except TypeError:  # how TensorFlow says that it has no such dtype
                continue
    return found


DTYPE_MAPPER: dict[DType, Any] = _known()
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> Any:
    """Return TensorFlow's dtype; raise `DTypeError` where it has none."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "tf")


def from_native(native: Any) -> DType:
    """Return the canonical dtype; raise `DTypeError` where there is none (quantized ones, resources, variants)."""
    return to_canonical_dtype(_INVERSE, native, "tf")
