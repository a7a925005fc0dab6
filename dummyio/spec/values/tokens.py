"""Value rules for token sequences: padding masks, and ids, labels and positions that follow a mask."""

from typing import ClassVar, Literal

import msgspec

from dummyio.spec.dtypes import DType
from dummyio.spec.values.base_rule import ValueRule


class PaddingMask(ValueRule, frozen=True, tag="padding_mask"):
    """1 for tokens and 0 for padding, on one side of the last axis, with a length for each row.

    A `pad` of 1 inverts the mask: 0 for tokens, and 1 for padding.
    `policy` ``"ragged"`` draws each row's length from ``[least, size]``, the first row full; ``"full"`` pads nothing;
    ``"shortest"`` keeps `least` tokens in every row but the first. A size below `least` replaces it.
    """

    side: Literal["left", "right"] = "right"
    policy: Literal["ragged", "full", "shortest"] = "ragged"
    least: int = 1
    pad: Literal[0, 1] = 0

    _kinds: ClassVar = ("int", "uint", "bool", "float")
    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, 0, 1)
        if self.least < 1:
            raise self._error("every row keeps at least one token.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if rows are longer than a length can be drawn for."""
        del dtype
        self._check_draw(shape[-1])


class Positions(ValueRule, frozen=True, tag="positions"):
    """Position ids: 0, 1, 2 ... counted over the kept tokens of `mask`; without a mask, from `start` on.

    With a mask, position = (kept tokens up to and including this one) - 1, and 0 before the first: as Transformers'
    generation computes it. `start` may be an expression of dims (``"past_sequence_length"``).
    """

    mask: str | None = None
    start: int | str = 0

    _axes: ClassVar = 1

    def _check_fields(self, dtype: DType) -> None:
        self._check_values(dtype, 0)
        if self.mask is not None and self.start != 0:
            raise self._error("a mask that covers the past already gives the start; set one of the two.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if the last position is out of the dtype's range."""
        self._check_count(dtype, int(self.start), int(self.start) + shape[-1] - 1, shape)


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, repr_omit_defaults=True):
    """`count` times the same id in neighbouring columns, from `start` on; a negative `start` counts from the end."""

    id: int
    start: int = 0
    count: int = 1

    def columns(self, length: int) -> range:
        """Return the columns that it takes in rows of this length."""
        first = self.start if self.start >= 0 else length + self.start
        return range(first, first + self.count)


class TokenIds(ValueRule, frozen=True, tag="token_ids"):
    """Ids uniform in ``[low, high)`` without the `reserved` ones; `pad` at the positions that `mask` masks.

    `first` is the id of the first column (a decoder's start token), `last` the id of the last kept token of each row (an
    end of sequence). `runs` are ids in fixed columns of every row: placeholders for the features of an image.
    """

    high: int
    low: int = 0
    reserved: tuple[int, ...] = ()
    mask: str | None = None
    pad: int = 0
    first: int | None = None
    last: int | None = None
    runs: tuple[Run, ...] = ()

    _kinds: ClassVar = ("int", "uint")

    def _min_rank(self) -> int:
        fixed = (self.mask, self.first, self.last)
        return 1 if self.runs or any(value is not None for value in fixed) else 0

    def _check_fields(self, dtype: DType) -> None:
        if self.high <= self.low:
            raise self._error(f"a vocabulary of {max(self.high - self.low, 0)} holds no id; high must exceed low.")
        self._check_range(dtype, self.low, self.high)
        self._check_draw(self.high - self.low)
        if self.allowed < 1:
            raise self._error(f"every id in [{self.low}, {self.high}) is reserved; reserve fewer.")
        ids = (self.pad, self.first, self.last, *(run.id for run in self.runs))
        self._check_values(dtype, *(value for value in ids if value is not None))
        if any(run.count < 1 for run in self.runs):
            raise self._error("a run has at least one id.")

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if a run does not fit into a row."""
        del dtype
        for run in self.runs:
            columns = run.columns(shape[-1])
            if columns.start < 0 or columns.stop > shape[-1]:
                raise self._error(f"{run!r} does not fit into a row of {shape[-1]}; rows must be longer.")

    @property
    def gaps(self) -> tuple[int, ...]:
        """The reserved ids inside the range, ascending."""
        return tuple(sorted({r for r in self.reserved if self.low <= r < self.high}))

    @property
    def allowed(self) -> int:
        """How many ids can be drawn."""
        return self.high - self.low - len(self.gaps)


class Labels(ValueRule, frozen=True, tag="labels"):
    """Class labels uniform in ``[0, high)``; `ignore_index` where `mask` masks, and for a share `ignored` of the rest."""

    high: int
    ignore_index: int = -100
    ignored: float = 0.0
    mask: str | None = None

    _kinds: ClassVar = ("int", "uint")

    def _min_rank(self) -> int:
        return 0 if self.mask is None else 1

    def _check_fields(self, dtype: DType) -> None:
        if self.high < 1:
            raise self._error("there must be at least one class.")
        self._check_range(dtype, 0, self.high)
        self._check_draw(self.high)
        if not 0 <= self.ignored <= 1:
            raise self._error("ignored is a share, 0 to 1.")
        if self.mask is not None or self.ignored:
            self._check_values(dtype, self.ignore_index)
