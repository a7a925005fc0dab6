"""Steps that all backends share: look a dtype up in the backend's table, and take ownership of an array.

A backend's table contains a dtype if its values can be created, copied and read back bit for bit. It does not state which
operations have kernels for that dtype.
"""

from collections.abc import Iterable, Mapping
from typing import TypeVar

import numpy as np

from dummyio.errors import DTypeError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array

T = TypeVar("T")


def to_native_dtype(table: Mapping[DType, T], dtype: DType, framework: str) -> T:
    """Return the native dtype; raise `DTypeError`, which names the nearest available dtype, if `table` lacks it."""
    native = table.get(dtype)
    if native is None:
        other = find_nearest_dtype(dtype, table)
        remedy = f"The nearest one that it has is {other.value!r}." if other else f"It has no {dtype.kind} dtype."
        raise DTypeError(f"dtype={dtype.value!r}: framework {framework!r} has no tensors of this dtype. {remedy}")
    return native


def to_canonical_dtype(inverse: Mapping[T, DType], native: T, framework: str) -> DType:
    """Return the canonical dtype of a native dtype; raise `DTypeError` if there is none."""
    dtype = inverse.get(native)
    if dtype is None:
        known = ", ".join(sorted(inverse.values()))
        raise DTypeError(f"dtype={native!r} of framework {framework!r} has no canonical dtype. Supported: {known}.")
    return dtype


def find_nearest_dtype(dtype: DType, held: Iterable[DType]) -> DType | None:
    """Return the narrowest dtype of `held` with every value of `dtype`, else the widest of its kind, else None."""
    alike = sorted((other for other in held if other.kind == dtype.kind and other is not dtype), key=lambda d: d.bits)
    wider = [other for other in alike if other.bits > dtype.bits and _covers(other, dtype)]
    return next(iter(wider or alike[-1:]), None)


def _covers(wide: DType, narrow: DType) -> bool:
    return wide.limits.min <= narrow.limits.min and narrow.limits.max <= wide.limits.max


def as_owned_array(values: Array, dtype: DType) -> Array:
    """Return `values` as an aligned, writable, C-contiguous array. Copies only if needed; the caller must not use `values` again.

    Raises
    ------
    DTypeError
        if the array has another dtype than `dtype`: backends convert between frameworks, never between dtypes.
    """
    if values.dtype != dtype.numpy:
        raise DTypeError(f"values of dtype {values.dtype} were passed as {dtype.value!r}: convert them in NumPy first.")
    if values.flags.carray:  # C-ordered, aligned and writable
        return values
    return np.require(values, requirements=["C", "A", "W"])
