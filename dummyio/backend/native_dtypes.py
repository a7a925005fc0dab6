"""What every backend does the same way: find a dtype in its table, and take an array over.

A dtype is in a backend's table where its values can be made, copied and read back bit for bit. Whether an operation has
a kernel for it is another question, and the framework's to answer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

import numpy as np

from dummyio.errors import DTypeError
from dummyio.spec.dtypes import DType

__all__ = ["as_owned_array", "find_nearest_dtype", "to_canonical_dtype", "to_native_dtype"]

T = TypeVar("T")


def to_native_dtype(table: Mapping[DType, T], dtype: DType, framework: str) -> T:
    """Return a framework's own dtype; raise `DTypeError`, which names the nearest it has, where `table` lacks it."""
    native = table.get(dtype)
    if native is None:
        other = find_nearest_dtype(dtype, table)
        remedy = f"The nearest that it has is {other.value!r}." if other else f"It has no {dtype.kind} dtype at all."
        raise DTypeError(f"dtype={dtype.value!r}: framework {framework!r} has no tensors of this dtype. {remedy}")
    return native


def to_canonical_dtype(inverse: Mapping[T, DType], native: T, framework: str) -> DType:
    """Return the canonical dtype of a framework's own; raise `DTypeError` where there is none."""
    dtype = inverse.get(native)
    if dtype is None:
        known = ", ".join(sorted(inverse.values()))
        raise DTypeError(f"dtype={native!r} of framework {framework!r} has no counterpart. Those that have: {known}.")
    return dtype


def find_nearest_dtype(dtype: DType, held: Iterable[DType]) -> DType | None:
    """Return the narrowest of `held` that has every value of `dtype`, else the widest of its kind, else None."""
    alike = sorted((other for other in held if other.kind == dtype.kind and other is not dtype), key=lambda d: d.bits)
    wider = [other for other in alike if other.bits > dtype.bits and _covers(other, dtype)]
    return next(iter(wider or alike[-1:]), None)


def _covers(wide: DType, narrow: DType) -> bool:
    return wide.limits.min <= narrow.limits.min and narrow.limits.max <= wide.limits.max


def as_owned_array(values: np.ndarray[Any, Any], dtype: DType) -> np.ndarray[Any, Any]:
    """Return `values`, which the caller gives away, as an aligned, writable, C-ordered array: a copy only where needed.

    Raises
    ------
    DTypeError
        where they are not of `dtype`: backends convert between frameworks, never between dtypes.
    """
    if values.dtype != dtype.numpy:
        raise DTypeError(f"values of dtype {values.dtype} were given as {dtype.value!r}: convert them in NumPy first.")
    if values.flags.carray:  # C-ordered, aligned and writable
        return values
    return np.require(values, requirements=["C", "A", "W"])
