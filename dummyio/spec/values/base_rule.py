"""The base class of all value rules, and its checks of a rule against a tensor's dtype and shape."""

import math
from typing import ClassVar

import msgspec

from dummyio.errors import SpecError
from dummyio.spec.dtypes import DType, Kind
from dummyio.spec.plain_values import show_value

Number = int | float
Scalar = bool | int | float | str

_MAX_DRAWN = 1 << 32
"""The largest number of values that one 32-bit word can choose from."""


class ValueRule(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    tag_field="rule",
):
    """A value rule, which can check itself against the tensor that it fills."""

    _kinds: ClassVar[tuple[Kind, ...]] = ("float", "int", "uint")
    """The kinds of dtypes that the rule can fill."""
    _axes: ClassVar[int] = 0
    """The number of axes that the tensor must have."""

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` if this rule cannot fill a tensor of this dtype and rank."""
        if dtype.kind not in self._kinds:
            raise self._error(f"fills {', '.join(self._kinds)} tensors; this one is {dtype}.")
        least = self._min_rank()
        if rank < least:
            found = f"this tensor has {rank}" if rank else "this tensor is a scalar"
            raise self._error(f"needs at least {'one axis' if least == 1 else f'{least} axes'}; {found}.")
        self._check_fields(dtype)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if this rule, with numbers in place of expressions of dims, cannot fill this shape.

        For positions that follow a mask, `shape` is the mask's shape.
        """

    def _min_rank(self) -> int:
        return self._axes

    def _check_fields(self, dtype: DType) -> None:
        """Raise `SpecError` if a field contradicts another field or the dtype."""

    def _error(self, reason: str) -> SpecError:
        return SpecError(f"{show_value(self)}: {reason}")

    def _check_range(self, dtype: DType, low: Number, high: Number) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise self._error("low and high must be finite.")
        if low >= high:
            raise self._error(f"low={low} must be below high={high}: the range is half-open and must hold a value.")
        if dtype.kind in ("int", "uint", "bool"):
            self._check_integers(dtype, low, high)
            return
        part, limits = dtype.part, dtype.limits
        if low < min(limits.min, 0) or high > limits.max:
            raise self._error(f"{part} holds {limits.min} to {limits.max}; choose a wider dtype or a narrower range.")
        if not part.ceil(low) <= part.floor(high):
            raise self._error(f"no value of {part} lies in [{low}, {high}).")

    def _check_integers(self, dtype: DType, low: Number, high: Number) -> None:
        if low != int(low) or high != int(high):
            raise self._error(f"bounds of {dtype} must be whole numbers.")
        limits = dtype.limits
        if low < limits.min or high - 1 > limits.max:
            raise self._error(f"{dtype} holds {limits.min} to {limits.max}; choose a wider dtype or a narrower range.")

    def _check_count(self, dtype: DType, first: Number, last: Number, shape: tuple[int, ...]) -> None:
        limits = dtype.limits
        if 0 not in shape and not (limits.min <= first <= limits.max and limits.min <= last <= limits.max):
            raise self._error(f"counts from {first} to {last}, and {dtype} holds {limits.min} to {limits.max}.")

    def _check_draw(self, count: int) -> None:
        if count > _MAX_DRAWN:
            raise self._error(f"draws among at most 2^32 whole numbers, not {count}.")

    def _check_text(self, text: str) -> None:
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise self._error(f"{show_value(text)} must be valid Unicode, without lone surrogates.")

    def _check_values(self, dtype: DType, *values: Scalar) -> None:
        for value in values:
            if (dtype.kind == "string") != isinstance(value, str):
                raise self._error(f"{show_value(value)} is not a value of {dtype}.")
            if isinstance(value, str):
                self._check_text(value)
                continue
            if not math.isfinite(value):
                raise self._error(f"{value!r} is not finite: values in a spec must be finite.")
            if dtype.kind in ("int", "uint", "bool"):
                self._check_integers(dtype, value, value + 1)
            elif not dtype.limits.min <= value <= dtype.limits.max:
                raise self._error(f"{value!r} is outside of {dtype}, {dtype.limits.min} to {dtype.limits.max}.")
