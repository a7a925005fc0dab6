"""Value rules: what a tensor holds, as data.

A rule says nothing of frameworks or generators. `dummyio.materialize` turns (rule, dtype, shape, seed, sample, path,
index) into an element, and nothing else enters. Bounds are half-open, ``[low, high)``, for integers and floats alike.

A rule may name another input of the same spec, by its path, as its `mask`: it then holds its `pad` (or another fixed
value) wherever that mask is 0. Where the mask is longer on its last axis (it covers the past too), the *last* columns
count; all other axes must be equal.
"""

from __future__ import annotations

import math
from typing import Literal

import msgspec

from dummyio.dtypes import DType
from dummyio.errors import SpecError

__all__ = [
    "Boxes",
    "Choices",
    "Constant",
    "Labels",
    "Normal",
    "OneHot",
    "PaddingMask",
    "Positions",
    "Range",
    "Rule",
    "Strings",
    "TokenIds",
    "Uniform",
    "mask_of",
]

Number = int | float
Scalar = bool | int | float | str


class _Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True, tag_field="rule"):
    """What every rule can do: check itself against the tensor that it fills."""

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` where this rule cannot fill a tensor of that dtype and rank."""

    def _refuse(self, reason: str) -> SpecError:
        return SpecError(f"{self!r}: {reason}")

    def _needs_kind(self, dtype: DType, *kinds: str) -> None:
        if dtype.kind not in kinds:
            raise self._refuse(f"fills {', '.join(kinds)} tensors; this one is {dtype}.")

    def _needs_axis(self, rank: int) -> None:
        if rank < 1:
            raise self._refuse("needs at least one axis; this tensor is a scalar.")

    def _needs_range(self, dtype: DType, low: Number, high: Number) -> None:
        if not (math.isfinite(low) and math.isfinite(high)):
            raise self._refuse("low and high must be finite.")
        if low >= high:
            raise self._refuse(f"low={low} must be below high={high}: the range is half-open and must hold a value.")
        if dtype.kind in ("int", "uint", "bool"):
            self._needs_integers(dtype, low, high)
        elif dtype.kind == "float" and not dtype.ceil(low) <= dtype.floor(high):
            raise self._refuse(f"no value of {dtype} lies in [{low}, {high}).")

    def _needs_integers(self, dtype: DType, low: Number, high: Number) -> None:
        if low != int(low) or high != int(high):
            raise self._refuse(f"bounds of {dtype} must be whole numbers.")
        limits = dtype.limits
        if low < limits.min or high - 1 > limits.max:
            raise self._refuse(f"{dtype} holds {limits.min} to {limits.max}; choose a wider dtype or a narrower range.")

    def _needs_value(self, dtype: DType, value: Scalar) -> None:
        if (dtype.kind == "string") != isinstance(value, str):
            raise self._refuse(f"{value!r} is no value of {dtype}.")
        if isinstance(value, str):
            return
        if dtype.kind in ("int", "uint", "bool"):
            self._needs_integers(dtype, value, value + 1)
        elif math.isfinite(value) and not dtype.limits.min <= value <= dtype.limits.max:
            raise self._refuse(f"{value!r} is outside of {dtype}, {dtype.limits.min} to {dtype.limits.max}.")


class Uniform(_Rule, frozen=True, tag="uniform"):
    """Each element uniform in ``[low, high)``; complex numbers have both parts so.

    `high` is never reached, not even by rounding to the dtype.
    """

    low: Number = 0
    high: Number = 1

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for an empty range, and for bounds that the dtype cannot hold."""
        del rank
        self._needs_kind(dtype, "float", "int", "uint", "bool", "complex")
        self._needs_range(dtype, self.low, self.high)


class Normal(_Rule, frozen=True, tag="normal"):
    """Each element normal with that mean and standard deviation, cut off near 4.2 deviations.

    Made by table and linear interpolation, so that no math library's last bit enters.
    """

    mean: Number = 0
    std: Number = 1

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a deviation that is not positive and for dtypes that are no floats."""
        del rank
        self._needs_kind(dtype, "float", "complex")
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise self._refuse("mean must be finite, std finite and positive.")


class Constant(_Rule, frozen=True, tag="constant"):
    """Every element is `value`."""

    value: Scalar = 0

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a value that the dtype cannot hold."""
        del rank
        self._needs_value(dtype, self.value)


class Range(_Rule, frozen=True, tag="range"):
    """``start + step * i`` along the last axis, the same in every row."""

    start: Number = 0
    step: Number = 1

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar, and for steps that the dtype cannot hold."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "float", "int", "uint")
        if dtype.kind in ("int", "uint"):
            self._needs_integers(dtype, self.start, self.start + 1)
            if self.step != int(self.step):
                raise self._refuse(f"step of {dtype} must be a whole number.")


class Positions(_Rule, frozen=True, tag="positions"):
    """Position ids: 0, 1, 2 ... counted over the kept tokens of `mask`; without one, from `start` on.

    With a mask, position = (kept tokens up to and including this one) - 1, and 0 before the first: what Transformers'
    generation computes. `start` may be an expression of dims (``"past_sequence_length"``).
    """

    mask: str | None = None
    start: int | str = 0

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar, and for a mask together with a start."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "int", "uint", "float")
        if self.mask is not None and self.start != 0:
            raise self._refuse("a mask that covers the past already gives the start; set one of the two.")


class PaddingMask(_Rule, frozen=True, tag="padding_mask"):
    """1 for tokens and 0 for padding, on one side of the last axis, with a length for each row.

    `policy` ``"ragged"`` draws each row's length from ``[1, size]``, the first row full; ``"full"`` pads nothing;
    ``"shortest"`` keeps one token in every row but the first.
    """

    side: Literal["left", "right"] = "right"
    policy: Literal["ragged", "full", "shortest"] = "ragged"

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar, and for dtypes that cannot hold 0 and 1."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "int", "uint", "bool", "float")
        self._needs_value(dtype, 1)


class TokenIds(_Rule, frozen=True, tag="token_ids"):
    """Ids uniform in ``[low, high)`` without the `reserved` ones; `pad` where `mask` is 0.

    `first` stands in the first column (a decoder's start token), `last` at the last kept token of each row (an end of
    sequence).
    """

    high: int
    low: int = 0
    reserved: tuple[int, ...] = ()
    mask: str | None = None
    pad: int = 0
    first: int | None = None
    last: int | None = None

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for an empty vocabulary, and for ids that the dtype cannot hold."""
        self._needs_kind(dtype, "int", "uint")
        if self.high <= self.low:
            raise self._refuse(f"a vocabulary of {max(self.high - self.low, 0)} holds no id; high must exceed low.")
        self._needs_range(dtype, self.low, self.high)
        if self.allowed < 1:
            raise self._refuse(f"every id in [{self.low}, {self.high}) is reserved; reserve fewer.")
        for value in (self.pad, self.first, self.last):
            if value is not None:
                self._needs_value(dtype, value)
        if self.mask is not None or self.first is not None or self.last is not None:
            self._needs_axis(rank)

    @property
    def gaps(self) -> tuple[int, ...]:
        """The reserved ids inside the range, ascending."""
        return tuple(sorted({r for r in self.reserved if self.low <= r < self.high}))

    @property
    def allowed(self) -> int:
        """How many ids can be drawn."""
        return self.high - self.low - len(self.gaps)


class Labels(_Rule, frozen=True, tag="labels"):
    """Class labels uniform in ``[0, high)``; `ignore_index` where `mask` is 0, and for a share `ignored` of the rest."""

    high: int
    ignore_index: int = -100
    ignored: float = 0.0
    mask: str | None = None

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for no class at all, and for a share outside ``[0, 1]``."""
        self._needs_kind(dtype, "int", "uint")
        if self.high < 1:
            raise self._refuse("there must be at least one class.")
        self._needs_range(dtype, 0, self.high)
        if not 0 <= self.ignored <= 1:
            raise self._refuse("ignored is a share, 0 to 1.")
        if self.mask is not None:
            self._needs_axis(rank)
        if self.mask is not None or self.ignored:
            self._needs_value(dtype, self.ignore_index)


class Choices(_Rule, frozen=True, tag="choices"):
    """Each element one of `options`, all alike likely."""

    options: tuple[Scalar, ...]

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` where there is nothing to choose, or an option does not fit the dtype."""
        del rank
        if not self.options:
            raise self._refuse("options must hold at least one value.")
        for option in self.options:
            self._needs_value(dtype, option)


class OneHot(_Rule, frozen=True, tag="one_hot"):
    """One 1 in each row of the last axis, 0 elsewhere."""

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "float", "int", "uint", "bool")
        self._needs_value(dtype, 1)


class Boxes(_Rule, frozen=True, tag="boxes"):
    """Boxes on a last axis of 4, corners in ``[low, high)``: x0 <= x1, y0 <= y1.

    `layout` ``"xyxy"`` gives corners, ``"xywh"`` a corner and the size, ``"cxcywh"`` the centre and the size.
    """

    low: Number = 0
    high: Number = 1
    layout: Literal["xyxy", "xywh", "cxcywh"] = "xyxy"

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for bounds that the dtype cannot hold, and for centres of integers."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "float", "int", "uint")
        self._needs_range(dtype, self.low, self.high)
        if self.layout == "cxcywh" and dtype.kind != "float":
            raise self._refuse("a centre may lie between integers; use a float dtype or another layout.")


class Strings(_Rule, frozen=True, tag="strings"):
    """Sentences of `low` to `high` - 1 of the `words`, joined by spaces."""

    words: tuple[str, ...] = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta")
    low: int = 1
    high: int = 8

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` without words, and for an empty range of lengths."""
        del rank
        self._needs_kind(dtype, "string")
        if not self.words:
            raise self._refuse("words must hold at least one.")
        if not 0 <= self.low < self.high <= 2**16:
            raise self._refuse("lengths must satisfy 0 <= low < high <= 65536.")


Rule = (
    Uniform
    | Normal
    | Constant
    | Range
    | Positions
    | PaddingMask
    | TokenIds
    | Labels
    | Choices
    | OneHot
    | Boxes
    | Strings
)


def mask_of(rule: Rule) -> str | None:
    """Return the path of the mask that `rule` follows, if it follows one."""
    return rule.mask if isinstance(rule, (Positions, TokenIds, Labels)) else None
