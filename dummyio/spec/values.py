"""Value rules: what a tensor holds, as data.

A rule says nothing of frameworks or generators. `dummyio.materialize` turns (rule, dtype, shape, seed, sample, path,
index) into an element, and nothing else enters. Bounds are half-open, ``[low, high)``, for integers and floats alike.

A rule may name another input of the same spec, by its path, as its `mask`: it then holds its `pad` (or another fixed
value) wherever that mask is 0, or 1 where that is the mask's own `pad`. Where the mask is longer on its last axis (it covers the past too), the *last* columns
count; all other axes must be equal.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any, Literal

import msgspec
import numpy as np

from dummyio.errors import SpecError
from dummyio.spec.dtypes import DType

__all__ = [
    "Boxes",
    "Choices",
    "Constant",
    "Grid",
    "Labels",
    "Normal",
    "OneHot",
    "PaddingMask",
    "Positions",
    "Range",
    "Rows",
    "Rule",
    "Run",
    "Strings",
    "TokenIds",
    "Uniform",
    "canonicalize_rule",
    "get_mask_path",
    "get_padding_value",
    "get_rule_expression",
    "replace_rule_expression",
]

Number = int | float
Scalar = bool | int | float | str

_DRAWN = 1 << 32
"""As many whole numbers as one word tells apart."""
_WHOLE = 1 << 64
"""Whole numbers up to here are written as ints."""


class _Rule(
    msgspec.Struct,
    frozen=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    tag_field="rule",
):
    """What every rule can do: check itself against the tensor that it fills."""

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` where this rule cannot fill a tensor of that dtype and rank."""

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where this rule cannot fill that shape; for positions, the shape of the mask that they follow.

        `number` is what the rule's expression is at these sizes, where it has one.
        """

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
        else:
            self._needs_floats(dtype.part, low, high)

    def _needs_floats(self, dtype: DType, low: Number, high: Number) -> None:
        limits = dtype.limits
        if low < min(limits.min, 0) or high > limits.max:
            raise self._refuse(f"{dtype} holds {limits.min} to {limits.max}; choose a wider dtype or a narrower range.")
        if not dtype.ceil(low) <= dtype.floor(high):
            raise self._refuse(f"no value of {dtype} lies in [{low}, {high}).")

    def _needs_integers(self, dtype: DType, low: Number, high: Number) -> None:
        if low != int(low) or high != int(high):
            raise self._refuse(f"bounds of {dtype} must be whole numbers.")
        limits = dtype.limits
        if low < limits.min or high - 1 > limits.max:
            raise self._refuse(f"{dtype} holds {limits.min} to {limits.max}; choose a wider dtype or a narrower range.")

    def _needs_count(self, dtype: DType, first: Number, last: Number, shape: tuple[int, ...]) -> None:
        limits = dtype.limits
        if 0 not in shape and not (limits.min <= first <= limits.max and limits.min <= last <= limits.max):
            raise self._refuse(f"counts from {first} to {last}, and {dtype} holds {limits.min} to {limits.max}.")

    def _needs_few(self, count: int) -> None:
        if count > _DRAWN:
            raise self._refuse(f"draws among at most 2^32 whole numbers, not {count}.")

    def _needs_value(self, dtype: DType, value: Scalar) -> None:
        if (dtype.kind == "string") != isinstance(value, str):
            raise self._refuse(f"{value!r} is no value of {dtype}.")
        if isinstance(value, str):
            return
        if not math.isfinite(value):
            raise self._refuse(f"{value!r} is not finite, and a description must be.")
        if dtype.kind in ("int", "uint", "bool"):
            self._needs_integers(dtype, value, value + 1)
        elif not dtype.limits.min <= value <= dtype.limits.max:
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
        largest = dtype.limits.max
        if abs(self.mean) > largest or self.std > largest:
            raise self._refuse(
                f"{dtype} holds values up to {largest}; choose a wider dtype, or a smaller mean and std."
            )


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
        if not math.isfinite(self.step):
            raise self._refuse("step must be finite.")
        self._needs_value(dtype, self.start)
        if dtype.kind in ("int", "uint") and self.step != int(self.step):
            raise self._refuse(f"step of {dtype} must be a whole number.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where the last value is more than the dtype holds."""
        del number
        self._needs_count(dtype, self.start, self.start + self.step * (shape[-1] - 1), shape)


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
        self._needs_value(dtype, 0)
        if self.mask is not None and self.start != 0:
            raise self._refuse("a mask that covers the past already gives the start; set one of the two.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where the last position is more than the dtype holds."""
        start = number if isinstance(self.start, str) else self.start
        self._needs_count(dtype, start, start + shape[-1] - 1, shape)


class Grid(_Rule, frozen=True, tag="grid"):
    """The coordinates of cells that lie row by row: element ``[..., n, :]`` is ``(0, ..., n // columns, n % columns)``.

    `columns` may be an expression of dims (``"width // 2"``).
    """

    columns: int | str

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for fewer than two axes, and for a grid without columns."""
        self._needs_kind(dtype, "int", "uint", "float")
        if rank < 2:
            raise self._refuse(f"needs an axis of cells and one of coordinates; this tensor has {rank}.")
        self._needs_value(dtype, 0)
        if isinstance(self.columns, int) and self.columns < 1:
            raise self._refuse("columns must be at least 1.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` for a grid without columns, and for more rows or columns than the dtype counts."""
        columns = number if isinstance(self.columns, str) else self.columns
        if columns < 1:
            raise self._refuse(f"columns must be at least 1, not {columns}.")
        cells = shape[-2]
        self._needs_count(dtype, 0, max(min(cells, columns) - 1, (cells - 1) // columns), shape)


class PaddingMask(_Rule, frozen=True, tag="padding_mask"):
    """1 for tokens and 0 for padding, on one side of the last axis, with a length for each row.

    With a `pad` of 1 it is the other way round: 0 for tokens, and 1 for what is hidden.
    `policy` ``"ragged"`` draws each row's length from ``[least, size]``, the first row full; ``"full"`` pads nothing;
    ``"shortest"`` keeps `least` tokens in every row but the first. `least` gives way to a smaller size.
    """

    side: Literal["left", "right"] = "right"
    policy: Literal["ragged", "full", "shortest"] = "ragged"
    least: int = 1
    pad: Literal[0, 1] = 0

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar, for dtypes that cannot hold 0 and 1, and for rows without a token."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "int", "uint", "bool", "float")
        for value in (0, 1):
            self._needs_value(dtype, value)
        if self.least < 1:
            raise self._refuse("every row keeps at least one token.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where there are more lengths than can be drawn."""
        del dtype, number
        self._needs_few(shape[-1])


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True):
    """`count` times the same id in neighbouring columns, from `start` on; a negative `start` counts from the end."""

    id: int
    start: int = 0
    count: int = 1

    def columns(self, length: int) -> range:
        """Return the columns that it takes in rows of that length."""
        first = self.start if self.start >= 0 else length + self.start
        return range(first, first + self.count)


class TokenIds(_Rule, frozen=True, tag="token_ids"):
    """Ids uniform in ``[low, high)`` without the `reserved` ones; `pad` where `mask` is 0.

    `first` stands in the first column (a decoder's start token), `last` at the last kept token of each row (an end of
    sequence). `runs` are ids that stand in fixed columns of every row: placeholders for the features of an image.
    """

    high: int
    low: int = 0
    reserved: tuple[int, ...] = ()
    mask: str | None = None
    pad: int = 0
    first: int | None = None
    last: int | None = None
    runs: tuple[Run, ...] = ()

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for an empty vocabulary, and for ids that the dtype cannot hold."""
        self._needs_kind(dtype, "int", "uint")
        if self.high <= self.low:
            raise self._refuse(f"a vocabulary of {max(self.high - self.low, 0)} holds no id; high must exceed low.")
        self._needs_range(dtype, self.low, self.high)
        self._needs_few(self.high - self.low)
        if self.allowed < 1:
            raise self._refuse(f"every id in [{self.low}, {self.high}) is reserved; reserve fewer.")
        for value in (self.pad, self.first, self.last, *(run.id for run in self.runs)):
            if value is not None:
                self._needs_value(dtype, value)
        if any(run.count < 1 for run in self.runs):
            raise self._refuse("a run has at least one id.")
        if self.mask is not None or self.first is not None or self.last is not None or self.runs:
            self._needs_axis(rank)

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where a run does not fit into a row."""
        del dtype, number
        for run in self.runs:
            columns = run.columns(shape[-1])
            if columns.start < 0 or columns.stop > shape[-1]:
                raise self._refuse(f"{run!r} does not fit into a row of {shape[-1]}; rows must be longer.")

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
        self._needs_few(self.high)
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
        for value in (0, 1):
            self._needs_value(dtype, value)

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where there are more places than can be drawn."""
        del dtype, number
        self._needs_few(shape[-1])


class Rows(_Rule, frozen=True, tag="rows"):
    """Every row of the last axis is `values`."""

    values: tuple[Number, ...]

    def check(self, dtype: DType, rank: int) -> None:
        """Raise `SpecError` for a scalar, and for values that the dtype cannot hold."""
        self._needs_axis(rank)
        self._needs_kind(dtype, "float", "int", "uint", "bool")
        for value in self.values:
            self._needs_value(dtype, value)

    def check_shape(self, dtype: DType, shape: tuple[int, ...], number: int = 0) -> None:
        """Raise `SpecError` where rows have another length."""
        del dtype, number
        if shape[-1] != len(self.values):
            raise self._refuse(f"rows of {len(self.values)} values do not fill an axis of {shape[-1]}.")


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
        whole = dtype.kind != "float"
        if whole:
            self._needs_few(int(self.high - self.low))
            self._needs_integers(DType.INT64, self.low, self.high)
        if self.layout != "xyxy":  # sizes, from none to the whole range
            for size in (0, self.high - self.low - whole):
                self._needs_value(dtype, size)


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
    | Grid
    | PaddingMask
    | TokenIds
    | Labels
    | Choices
    | OneHot
    | Rows
    | Boxes
    | Strings
)


def canonicalize_rule(rule: Rule) -> Rule:
    """Return `rule` with every field in its one form, so that rules that are equal are written alike.

    Lists become tuples, NumPy's numbers Python's, and whole numbers ints; a field of another type is a `SpecError`.
    """
    if not isinstance(rule, _Rule):
        raise SpecError(f"values={rule!r} is no rule: use one of dummyio.values, such as Uniform(0, 1).")
    try:
        plain = {name: _number(value) for name, value in msgspec.to_builtins(rule, enc_hook=_builtin).items()}
        checked = msgspec.convert(plain, type(rule))
    except (msgspec.ValidationError, OverflowError, TypeError) as error:
        raise SpecError(f"{rule!r}: {error}") from None
    # A default itself is left out of files, another value that is equal to it is not.
    fields = [(name, _truth(getattr(checked, name)), default) for name, default in _defaults(type(rule))]
    return type(rule)(**{name: default if value == default else value for name, value, default in fields})


@cache
def _defaults(rule: type[_Rule]) -> tuple[tuple[str, Any], ...]:
    return tuple((field.name, field.default) for field in msgspec.structs.fields(rule))


def replace_rule_expression(rule: Rule, value: int | str) -> Rule:
    """Return `rule` with another expression of dims, or a number, for the one that it refers to."""
    return msgspec.structs.replace(rule, **{"start" if isinstance(rule, Positions) else "columns": value})


def _builtin(value: Any) -> Any:
    """Return a number or text of a class of its own as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    for base in (int, float, str):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{value!r} is no number and no text.")


def _number(value: Any) -> Any:
    """Return whole numbers as ints, up to what 64 bits hold, and other numbers as floats, where there is such a float."""
    if isinstance(value, list | tuple):
        return tuple(_number(item) for item in value)
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _WHOLE else value
    if isinstance(value, int) and abs(value) > _WHOLE and float(value) == value:
        return float(value)
    return value


def _truth(value: Any) -> Any:
    """Return booleans as 0 and 1."""
    if isinstance(value, tuple):
        return tuple(_truth(item) for item in value)
    return int(value) if isinstance(value, bool) else value


def get_padding_value(rule: Rule) -> int:
    """Return what a mask's elements are where it masks: 0, unless its rule says otherwise."""
    return rule.pad if isinstance(rule, PaddingMask) else 0


def get_mask_path(rule: Rule) -> str | None:
    """Return the path of the mask that `rule` follows, if it follows one."""
    return rule.mask if isinstance(rule, (Positions, TokenIds, Labels)) else None


def get_rule_expression(rule: Rule) -> str | None:
    """Return the expression of dims that `rule` refers to, if it refers to one."""
    expression = rule.start if isinstance(rule, Positions) else rule.columns if isinstance(rule, Grid) else None
    return expression if isinstance(expression, str) else None
