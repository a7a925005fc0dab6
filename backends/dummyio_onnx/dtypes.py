"""Canonical dtypes and ONNX's element types, by their numbers in `onnx.TensorProto`.

The format has more than the runtime: `ONNX_TYPES` has all that a file can declare, `DTYPE_MAPPER` those that this version of
ONNX Runtime can hold, which is tried once, at import.
"""

import numpy as np
import onnx
import onnxruntime as ort

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType

_NAMES = {
    DType.FLOAT64: "DOUBLE",
    DType.FLOAT32: "FLOAT",
    DType.FLOAT8_E8M0FNU: "FLOAT8E8M0",
    **{
        dtype: dtype.removesuffix("fn").replace("_", "").upper()
        for dtype in DType
        if dtype.startswith(("float6_", "float4_"))
    },
    **{dtype: dtype.replace("_", "").upper() for dtype in DType if dtype.startswith(("float8_e4", "float8_e5"))},
}
_NUMBERS: dict[str, int] = dict(onnx.TensorProto.DataType.items())  # older versions have fewer
ONNX_TYPES: dict[DType, int] = {
    dtype: _NUMBERS[name] for dtype in DType if (name := _NAMES.get(dtype, dtype.upper())) in _NUMBERS
}
"""Every element type of the format."""


def _is_held(dtype: DType) -> bool:
    if dtype is DType.STRING or dtype.numpy.isbuiltin == 1:
        return dtype.kind != "complex"  # ONNX has them, its runtime does not
    try:
        ort.OrtValue.ortvalue_from_numpy_with_onnx_type(np.zeros(1, f"uint{8 * dtype.itemsize}"), ONNX_TYPES[dtype])
    except RuntimeError:  # ONNX Runtime has no such type
        return False
    return True


DTYPE_MAPPER: dict[DType, int] = {dtype: number for dtype, number in ONNX_TYPES.items() if _is_held(dtype)}
_INVERSE = {number: dtype for dtype, number in ONNX_TYPES.items()}


def to_native(dtype: DType) -> int:
    """Return the number of the element type; raise `DTypeError` if ONNX Runtime cannot hold it."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "ort")


def from_native(native: int) -> DType:
    """Return the canonical dtype of an element type that a file can declare; raise `DTypeError` if there is none."""
    return to_canonical_dtype(_INVERSE, native, "ort")


def find_dtype(native: int) -> DType | None:
    """Return the canonical dtype of an element type; None if there is none."""
    return _INVERSE.get(native)
