"""Value rules whose bounds are sizes, or differ by column: row lengths, indices, columns."""

from typing import ClassVar, Literal

from dummyio.spec.dtypes import DType
from dummyio.spec.values.base_rule import ValueRule


class Lengths(ValueRule, frozen=True, tag="lengths"):
    """How many elements each row of another input holds: uniform in ``[least, size]``, the first one `size`.

    `size` is the length of the axis that is counted, a number or an expression of dims (``"sequence_length // 2"``). With `mask`
    instead, the lengths are the numbers of kept elements in the rows of that padding mask, whose shape has one more axis.
    `policy` is that of `PaddingMask`: ``"full"`` makes all rows full, ``"shortest"`` all but the first as short as `least`. A size
    below `least` replaces it.
    """

    size: int | str | None = None
    least: int = 1
    policy: Literal["ragged", "full", "shortest"] = "ragged"
    mask: str | None = None

    def _check_fields(self, dtype: DType) -> None:
        if (self.size is None) == (self.mask is None):
            raise self._error("give either the size of the axis that is counted, or the mask whose rows are counted.")
        if self.mask is not None and (self.least, self.policy) != (1, "ragged"):
            raise self._error("the lengths are those of the mask: set least and policy there.")
        if self.least < 0:
            raise self._error("a length cannot be negative: least must be at least 0.")
        if isinstance(self.size, int):
            self._check_size(dtype, self.size)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if the longest row is out of the dtype's range."""
        del shape
        if self.size is not None:
            self._check_size(dtype, int(self.size))

    def _check_size(self, dtype: DType, size: int) -> None:
        if size < 0:
            raise self._error(f"size must be at least 0, not {size}.")
        self._check_values(dtype, size)
        self._check_draw(size + 1)


class Indices(ValueRule, frozen=True, tag="indices"):
    """Indices into an axis of another input: uniform in ``[0, size)``.

    `size` is the size of that axis, a number or an expression of dims (``"num_nodes"``). In ``"ascending"``
    order they never fall along the last axis and spread over the whole range, as in the vector that assigns nodes to graphs;
    ``"starts"`` is that with a first index of 0, as in the places at which the bags of a list of ids begin.
    """

    size: int | str
    order: Literal["random", "ascending", "starts"] = "random"

    _kinds: ClassVar = ("int", "uint")

    def _min_rank(self) -> int:
        return int(self.order != "random")

    def _check_fields(self, dtype: DType) -> None:
        if isinstance(self.size, int):
            self._check_size(dtype, self.size)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if nothing can be indexed, or the last index is out of the dtype's range."""
        if 0 not in shape:
            self._check_size(dtype, int(self.size))

    def _check_size(self, dtype: DType, size: int) -> None:
        if size == 0 and self.order == "starts":
            return  # all bags of no ids are empty
        if size < 1:
            raise self._error(f"an axis of {size} holds nothing to index: size must be at least 1.")
        self._check_range(dtype, 0, size)
        self._check_draw(size)


class Columns(ValueRule, frozen=True, tag="columns"):
    """Whole numbers with bounds for each column of an axis: uniform in ``[lows[i], highs[i])`` in column i.

    For features with tables of their own: categories, parts of a date. Without `lows`, all columns begin at 0. `axis` is the axis
    of the columns, counted from the end.
    """

    highs: tuple[int, ...]
    lows: tuple[int, ...] = ()
    axis: int = -1

    def _min_rank(self) -> int:
        return -self.axis

    def _check_fields(self, dtype: DType) -> None:
        if self.axis >= 0:
            raise self._error("axis is counted from the end: -1 is the last.")
        if self.lows and len(self.lows) != len(self.highs):
            raise self._error(f"{len(self.highs)} highs and {len(self.lows)} lows: give one of each for a column.")
        for column, (low, high) in enumerate(self.bounds):
            if low >= high:
                raise self._error(f"column {column} holds no value: its low={low} must be below its high={high}.")
            self._check_values(dtype, low, high - 1)
            self._check_draw(high - low)

    def check_shape(self, dtype: DType, shape: tuple[int, ...]) -> None:
        """Raise `SpecError` if the tensor has another number of columns."""
        del dtype
        if shape[self.axis] != len(self.highs):
            raise self._error(f"bounds of {len(self.highs)} columns do not fit an axis of {shape[self.axis]}.")

    @property
    def bounds(self) -> tuple[tuple[int, int], ...]:
        """The half-open range of each column."""
        lows = self.lows or (0,) * len(self.highs)
        return tuple(zip(lows, self.highs, strict=True))
