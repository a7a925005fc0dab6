"""Rules whose elements depend on their place: masks, positions, one-hot rows, boxes; and values that follow a mask.

All functions work on a `Region` and have a leading axis of samples, so that a slice, a whole tensor and many samples are
made by the same code.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from dummyio.materialize.elementwise_rules import (
    Integers,
    draw_integers,
    make_constants,
    make_range_scaler,
    make_unit_floats,
)
from dummyio.materialize.index_region import Region
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Boxes, Grid, Labels, OneHot, PaddingMask, Positions, Range, Rows, Rule, TokenIds
from dummyio.typing import Array


class SpecView(Protocol):
    """The other inputs of the spec that a rule needs."""

    shapes: Mapping[str, tuple[int, ...]]
    """The shapes of all inputs by path."""

    def padding(self, path: str, region: Region) -> Array:
        r"""Return the masked positions of another input, a mask, as bools of shape (samples, \*region)."""
        ...

    def positions(self, path: str, region: Region) -> Array:
        r"""Return the kept tokens of a mask's row up to each element, minus 1 and at least 0, as (samples, \*region)."""
        ...

    def row_ends(self, path: str, region: Region) -> Array:
        """Return the last kept column of each row of a mask from ``region.axes[-1].start`` on, with a last axis of 1.

        Where a row keeps none, it is the last column.
        """
        ...

    def count_kept(self, path: str, region: Region) -> Array:
        """Return the number of kept elements in each row of a region of a mask, without the last axis."""
        ...


@dataclass(frozen=True, slots=True)
class RowLengths:
    """The number of kept tokens of each row of a padding mask, which start or end with the row."""

    left: bool
    """Whether the padding is on the left."""
    compute: Callable[[Sequence[Array], Region], Array]
    """From the words drawn for the rows of a region to the lengths, with a last axis of 1."""


@dataclass(frozen=True, slots=True)
class PositionalFill:
    """How to fill a tensor whose elements depend on their place."""

    words: int
    build: Callable[[Sequence[Array], Region, SpecView], Array]
    draw: Integers | None = None
    lengths: RowLengths | None = None
    """The lengths of the rows, for a padding mask."""
    by_element: bool = False
    """Whether words are drawn for each element, and not for each row of the last axis."""


Overlay = Callable[[Array, Region, SpecView], None]
"""Overwrites, in place, the elements of a region that a rule fixes: pads, start tokens, ends of sequences."""


def make_positional_fill(rule: Rule, dtype: DType, shape: tuple[int, ...]) -> PositionalFill | None:
    """Return the way in which `rule` fills a tensor by place; None if its elements are independent."""
    match rule:
        case PaddingMask():
            return _padding_mask(rule, dtype, shape)
        case Positions():
            return _positions(rule, dtype)
        case Grid():
            return PositionalFill(0, lambda _, region, __: _grid(rule, region).astype(dtype.numpy, order="C"))
        case Range(start, step):
            return _same_rows(lambda index: _count_from(start, step, index, dtype))
        case Rows(values):
            row = make_constants(values, dtype)
            return _same_rows(lambda index: row[index])
        case OneHot():
            hot = Integers(0, max(shape[-1], 1))
            return PositionalFill(1, lambda row, region, _: (region.last == row[0][..., None]).astype(dtype.numpy), hot)
        case Boxes():
            return _boxes(rule, dtype)
        case _:
            return None


def _same_rows(make_row: Callable[[Array], Array]) -> PositionalFill:
    """Return the fill whose rows are all equal, as read-only views; `make_row` gets the indices on the last axis."""
    return PositionalFill(0, lambda _, region, __: np.broadcast_to(make_row(region.last), (1, *region.sizes)))


def _count_from(start: float, step: float, index: Array, dtype: DType) -> Array:
    """Return ``start + step * index``; integers are computed modulo 2^64, which is right for signed and unsigned ones."""
    if dtype.kind == "float":
        return (float(start) + float(step) * index).astype(dtype.numpy)
    first, by = (np.array(int(number) % 2**64, np.uint64) for number in (start, step))
    counted: Array = first + by * index.astype(np.uint64)
    return counted.view(np.int64).astype(dtype.numpy)


def _padding_mask(rule: PaddingMask, dtype: DType, shape: tuple[int, ...]) -> PositionalFill:
    left, size, rank = rule.side == "left", shape[-1], len(shape)
    least = min(rule.least, max(size, 1))
    same = {"ragged": None, "full": size, "shortest": min(size, least)}[rule.policy]
    origin: tuple[int | slice, ...] = (0,) * rank  # with one sample, a plain index sets the first row
    first = (slice(None), *origin[1:])

    def compute_lengths(drawn: Sequence[Array], region: Region) -> Array:
        lengths = drawn[0] if same is None else np.full_like(drawn[0], same)
        if region.first_row:  # the first row is full
            lengths[origin if len(lengths) == 1 else first] = size
        return lengths[..., None]

    def build(drawn: Sequence[Array], region: Region, _: SpecView) -> Array:
        ends = compute_lengths(drawn, region)
        kept = region.last >= size - ends if left else region.last < ends
        return (kept != bool(rule.pad)).astype(dtype.numpy)

    draw = Integers(least, max(size, 1) - least + 1)
    return PositionalFill(1, build, draw, RowLengths(left, compute_lengths))


def _positions(rule: Positions, dtype: DType) -> PositionalFill:
    if rule.mask is None:
        return _same_rows(lambda index: _count_from(int(rule.start), 1, index, dtype))
    mask = rule.mask

    def build(_: Sequence[Array], region: Region, around: SpecView) -> Array:
        return around.positions(mask, _move_to_mask(mask, region, around)).astype(dtype.numpy, order="C")

    return PositionalFill(0, build)


def _move_to_mask(mask: str, region: Region, around: SpecView) -> Region:
    """Return the region of a mask that belongs to a region: the mask's last columns do."""
    size = around.shapes[mask][-1]
    if size == region.shape[-1]:
        return region
    axis, offset = region.axes[-1], size - region.shape[-1]
    return region.with_last(size, range(axis.start + offset, axis.stop + offset, axis.step))


def _grid(rule: Grid, region: Region) -> Array:
    axis, size = region.axes[-2], region.shape[-1]
    columns = min(int(rule.columns), region.shape[-2])  # more columns than cells are all alike, and may exceed 64 bits
    cell = np.arange(axis.start, axis.stop, axis.step, dtype=np.int64)
    chosen = np.zeros((cell.size, region.sizes[-1]), np.int64)
    chosen[:, region.last == size - 1] = (cell % columns)[:, None]
    chosen[:, region.last == size - 2] = (cell // columns)[:, None]
    return np.broadcast_to(chosen, (1, *region.sizes[:-2], *chosen.shape))


def _boxes(rule: Boxes, dtype: DType) -> PositionalFill:
    if dtype.kind == "float":
        fill, scale = make_unit_floats(DType.FLOAT32), make_range_scaler(dtype, float(rule.low), float(rule.high))
        work = np.float64 if dtype is DType.FLOAT64 else np.float32

        def corner(word: Array) -> Array:
            return scale(fill([word]).astype(work)).astype(np.float64)
    else:
        whole = Integers(int(rule.low), int(rule.high) - int(rule.low))

        def corner(word: Array) -> Array:
            return draw_integers(word, whole)

    def build(row: Sequence[Array], region: Region, _: SpecView) -> Array:
        a, b, c, d = (corner(word) for word in row)
        x0, x1, y0, y1 = np.minimum(a, b), np.maximum(a, b), np.minimum(c, d), np.maximum(c, d)
        match rule.layout:
            case "xyxy":
                columns = (x0, y0, x1, y1)
            case "xywh":
                columns = (x0, y0, x1 - x0, y1 - y0)
            case "cxcywh":
                columns = (x0 + (x1 - x0) / 2, y0 + (y1 - y0) / 2, x1 - x0, y1 - y0)
        return np.stack(columns, axis=-1)[..., region.last].astype(dtype.numpy, order="C")

    return PositionalFill(4, build)


def make_overlay(rule: Rule, dtype: DType) -> Overlay | None:
    """Return the overlay of a tensor that was drawn element by element; None if its rule fixes no elements."""
    match rule:
        case TokenIds(mask=mask, first=None, last=None, runs=()) if mask is not None:
            return _make_padding_overlay(mask, rule.pad, dtype)
        case TokenIds() if rule.first is not None or rule.last is not None or rule.runs:
            return _make_id_overlay(rule, dtype)
        case Labels(mask=mask) if mask is not None:
            return _make_padding_overlay(mask, rule.ignore_index, dtype)
        case _:
            return None


def _make_padding_overlay(mask: str, value: int, dtype: DType) -> Overlay:
    pad = make_constants([value], dtype)[0, ...]  # an array, which NumPy copies faster than an int

    def overlay(values: Array, region: Region, around: SpecView) -> None:
        np.copyto(values, pad, where=around.padding(mask, _move_to_mask(mask, region, around)))

    return overlay


def _make_id_overlay(rule: TokenIds, dtype: DType) -> Overlay:
    pad = None if rule.mask is None else _make_padding_overlay(rule.mask, rule.pad, dtype)
    first, last = (None if i is None else make_constants([i], dtype)[0, ...] for i in (rule.first, rule.last))
    runs = [(run, make_constants([run.id], dtype)[0, ...]) for run in rule.runs]

    def overlay(ids: Array, region: Region, around: SpecView) -> None:
        if last is not None:
            np.copyto(ids, last, where=region.last == _row_ends(rule.mask, region, around))
        axis = region.axes[-1]
        if first is not None and axis.start == 0:
            ids[..., 0] = first
        for run, value in runs:
            columns = run.columns(region.shape[-1])
            # The places in the region of the columns from start to stop, rounded up.
            start, stop = (max(0, -((axis.start - edge) // axis.step)) for edge in (columns.start, columns.stop))
            ids[..., start:stop] = value
        if pad is not None:
            pad(ids, region, around)

    return overlay


def _row_ends(mask: str | None, region: Region, around: SpecView) -> Array:
    """Return the column of each row's last kept token, with a last axis of 1."""
    length = region.shape[-1]
    if mask is None:
        return np.array(length - 1)
    size = around.shapes[mask][-1]
    offset = size - length
    return around.row_ends(mask, region.with_last(size, range(offset, size))) - offset
