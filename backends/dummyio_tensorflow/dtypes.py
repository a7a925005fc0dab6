"""Canonical dtypes and TensorFlow dtypes: those that the installed version has."""

from typing import Any

import tensorflow as tf

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType


def _map_dtypes() -> dict[DType, Any]:
    found = {DType.STRING: tf.string}
    for dtype in DType:
        if dtype is not DType.STRING:
            try:
                found[dtype] = tf.dtypes.as_dtype(dtype.numpy)
            except TypeError:  # TensorFlow has no such dtype
                continue
    return found


DTYPE_MAPPER: dict[DType, Any] = _map_dtypes()
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> Any:
    """Return the TensorFlow dtype; raise `DTypeError` if there is none."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "tf")


def from_native(native: Any) -> DType:
    """Return the canonical dtype; raise `DTypeError` if there is none (quantized ones, resources, variants)."""
    return to_canonical_dtype(_INVERSE, native, "tf")
