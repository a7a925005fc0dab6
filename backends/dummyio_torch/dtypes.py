"""Canonical dtypes and those of PyTorch.

PyTorch names integers of 1, 2 and 4 bits that it cannot even copy: these are left out. So is ``float4_e2m1fn_x2``, which holds
two numbers in one element, so that the shape would change.
"""

import torch

from dummyio.backend.native_dtypes import to_canonical_dtype, to_native_dtype
from dummyio.spec.dtypes import DType

_ABSENT = {DType.INT4, DType.INT2, DType.INT1, DType.UINT4, DType.UINT2, DType.UINT1}
DTYPE_MAPPER: dict[DType, torch.dtype] = {
    dtype: getattr(torch, dtype) for dtype in DType if hasattr(torch, dtype) and dtype not in _ABSENT
}
_INVERSE = {native: dtype for dtype, native in DTYPE_MAPPER.items()}


def to_native(dtype: DType) -> torch.dtype:
    """Return the dtype in PyTorch; raise `DTypeError` if it has none."""
    return to_native_dtype(DTYPE_MAPPER, dtype, "pt")


def from_native(native: torch.dtype) -> DType:
    """Return the canonical dtype; raise `DTypeError` if there is none (quantized and packed dtypes)."""
    return to_canonical_dtype(_INVERSE, native, "pt")
