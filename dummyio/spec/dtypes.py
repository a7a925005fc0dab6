"""The neutral dtypes: their names, widths, ranges and NumPy forms.

Names are those of NumPy and ml_dtypes; a `DType` is a `str`, so ``spec["input_ids"].dtype == "int64"`` holds. NumPy lacks
bfloat16, the floats of 8, 6 and 4 bits and the small integers: ml_dtypes has them, one element to a byte (or two).
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from enum import StrEnum
from functools import cache, cached_property
from typing import Any, Literal

import ml_dtypes
import numpy as np

from dummyio.errors import DTypeError, suggest_names
from dummyio.spec.plain_values import show_value

Kind = Literal["float", "int", "uint", "bool", "complex", "string"]


class DType(StrEnum):
    """A tensor's element type, by its NumPy name.

    Examples
    --------
    >>> dtype = DType.of("bf16")
    >>> dtype == "bfloat16", dtype.kind, dtype.bits, dtype.itemsize
    (True, 'float', 16, 2)
    >>> DType.INT8.limits
    Limits(min=-128, max=127)
    """

    FLOAT64 = "float64"
    FLOAT32 = "float32"
    FLOAT16 = "float16"
    BFLOAT16 = "bfloat16"
    FLOAT8_E3M4 = "float8_e3m4"
    FLOAT8_E4M3 = "float8_e4m3"
    FLOAT8_E4M3FN = "float8_e4m3fn"
    FLOAT8_E4M3FNUZ = "float8_e4m3fnuz"
    FLOAT8_E4M3B11FNUZ = "float8_e4m3b11fnuz"
    FLOAT8_E5M2 = "float8_e5m2"
    FLOAT8_E5M2FNUZ = "float8_e5m2fnuz"
    FLOAT8_E8M0FNU = "float8_e8m0fnu"
    FLOAT6_E2M3FN = "float6_e2m3fn"
    FLOAT6_E3M2FN = "float6_e3m2fn"
    FLOAT4_E2M1FN = "float4_e2m1fn"
    INT64 = "int64"
    INT32 = "int32"
    INT16 = "int16"
    INT8 = "int8"
    INT4 = "int4"
    INT2 = "int2"
    INT1 = "int1"
    UINT64 = "uint64"
    UINT32 = "uint32"
    UINT16 = "uint16"
    UINT8 = "uint8"
    UINT4 = "uint4"
    UINT2 = "uint2"
    UINT1 = "uint1"
    BOOL = "bool"
    COMPLEX64 = "complex64"
    COMPLEX128 = "complex128"
    STRING = "string"

    @classmethod
    def of(cls, value: object) -> DType:
        """Return the dtype that `value` means.

        Parameters
        ----------
        value
            A name or an alias of the dtype, a NumPy dtype, or a scalar type of Python or NumPy.

        Raises
        ------
        DTypeError
            If `value` is not a dtype; the message suggests similar names.

        Examples
        --------
        >>> [str(DType.of(value)) for value in ("half", np.dtype("uint8"), float, np.int32)]
        ['float16', 'uint8', 'float32', 'int32']
        """
        if isinstance(value, cls):
            return value
        if isinstance(value, str):
            return cls._of_name(value)
        if isinstance(value, (np.dtype, type)):
            if value in _SCALARS:
                return _SCALARS[value]
            with contextlib.suppress(TypeError):
                dtype = np.dtype(value)
                # NumPy converts any unknown class to the dtype `object`.
                if dtype.kind != "O" or isinstance(value, np.dtype) or value is object:
                    return cls._of_numpy(dtype)
        raise DTypeError(f"dtype={show_value(value)} is not a dtype: use a name such as 'float32', or a NumPy dtype.")

    @classmethod
    def _of_name(cls, name: str) -> DType:
        known = ALIASES.get(name, name)
        try:
            return cls(known)
        except ValueError:
            raise DTypeError(
                f"dtype={show_value(name)} is unknown. {suggest_names(name, [*map(str, cls), *ALIASES])}"
            ) from None

    @classmethod
    @cache
    def _of_numpy(cls, dtype: np.dtype[Any]) -> DType:
        if dtype.kind in "OUST":
            return cls.STRING
        try:
            return cls(dtype.name)
        except ValueError:
            remedy = suggest_names(dtype.name, map(str, cls))
            raise DTypeError(f"dtype={dtype!r} of NumPy has no counterpart. {remedy}") from None

    @cached_property
    def numpy(self) -> np.dtype[Any]:
        """The NumPy dtype; strings are ``object``."""
        if self is DType.STRING:
            return np.dtype(object)
        return np.dtype(getattr(ml_dtypes, self) if hasattr(ml_dtypes, self) else self)

    @cached_property
    def kind(self) -> Kind:
        """The family of its values, such as ``"float"`` or ``"uint"``."""
        for kind in ("float", "uint", "int", "complex", "bool", "string"):
            if self.startswith(kind) or (kind == "float" and self is DType.BFLOAT16):
                return kind
        raise AssertionError(self)  # pragma: no cover

    @cached_property
    def bits(self) -> int:
        """The width of one element in bits, without padding; 0 for strings."""
        if self in (DType.STRING, DType.BOOL):
            return 8 if self is DType.BOOL else 0
        return int(self.split("_")[0].lstrip("abcdefghijklmnopqrstuvwxyz"))

    @cached_property
    def itemsize(self) -> int:
        """Bytes of one element in memory; a string counts as one pointer."""
        return self.numpy.itemsize

    @cached_property
    def part(self) -> DType:
        """The dtype of the two parts of a complex number; any other dtype itself."""
        return {DType.COMPLEX64: DType.FLOAT32, DType.COMPLEX128: DType.FLOAT64}.get(self, self)

    @cached_property
    def limits(self) -> Limits:
        """The smallest and largest finite value; of complex numbers, that of their parts."""
        match self.kind:
            case "int":
                return Limits(-(2 ** (self.bits - 1)), 2 ** (self.bits - 1) - 1)
            case "uint":
                return Limits(0, 2**self.bits - 1)
            case "bool":
                return Limits(0, 1)
            case "string":
                raise DTypeError("dtype='string' has no smallest or largest value.")
            case _:
                info = ml_dtypes.finfo(self.part.numpy)
                return Limits(float(info.min), float(info.max))

    def floor(self, value: float) -> float:
        """Return the largest finite value of this float dtype that is below `value`."""
        return _find_neighbour(self, value, below=True)

    def ceil(self, value: float) -> float:
        """Return the smallest finite value of this float dtype that is not below `value`."""
        return _find_neighbour(self, value, below=False)


@dataclass(frozen=True, slots=True)
class Limits:
    """Smallest and largest finite value of a dtype, both included."""

    min: int | float
    max: int | float


ALIASES = {
    "fp64": "float64",
    "fp32": "float32",
    "fp16": "float16",
    "bf16": "bfloat16",
    "double": "float64",
    "float": "float32",
    "half": "float16",
    "long": "int64",
    "short": "int16",
    "bool_": "bool",
    "boolean": "bool",
    "str": "string",
    "object": "string",
}
_SCALARS: dict[object, DType] = {float: DType.FLOAT32, int: DType.INT64, bool: DType.BOOL, str: DType.STRING}


@cache
def _finite_values(dtype: DType) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return all finite values of a float dtype of at most 16 bits, ascending."""
    width = dtype.itemsize * 8
    patterns = np.arange(2**dtype.bits, dtype=f"uint{width}").view(dtype.numpy)
    with np.errstate(invalid="ignore"):  # NaN patterns are cast too, and dropped by the next line
        values = patterns.astype(np.float64)
    return np.unique(values[np.isfinite(values)]) + 0.0  # no negative zero


def _find_neighbour(dtype: DType, value: float, *, below: bool) -> float:
    if dtype.bits >= 32:
        limit = dtype.limits.max
        scalar = dtype.numpy.type
        clipped = scalar(min(max(value, -limit), limit))
        with np.errstate(over="ignore"):  # the neighbour of the largest value is infinity
            if below and float(clipped) >= value:
                clipped = np.nextafter(clipped, scalar(-np.inf))
            if not below and float(clipped) < value:
                clipped = np.nextafter(clipped, scalar(np.inf))
        return float(clipped)
    values = _finite_values(dtype)
    place = int(np.searchsorted(values, value, side="left")) - below
    return float(values[place]) if 0 <= place < len(values) else float("nan")
