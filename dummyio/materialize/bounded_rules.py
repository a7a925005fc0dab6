"""Rules whose bounds are sizes, or differ by column: row lengths, indices, columns; a word is drawn for each element."""

from collections.abc import Sequence

import numpy as np

from dummyio.materialize.elementwise_rules import Integers
from dummyio.materialize.index_region import Region
from dummyio.materialize.positional_rules import PositionalFill, SpecView
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Columns, Indices, Lengths, Rule
from dummyio.typing import Array

_U32 = np.uint64(32)


def make_bounded_fill(rule: Rule, dtype: DType, shape: tuple[int, ...]) -> PositionalFill | None:
    """Return the way in which `rule`, with numbers in place of expressions of dims, fills a tensor; None for other rules."""
    match rule:
        case Lengths():
            return _lengths(rule, dtype, len(shape))
        case Indices(size, order):
            return _indices(int(size), dtype, None if order == "random" else shape[-1], is_start=order == "starts")
        case Columns():
            return _columns(rule, dtype, len(shape) + rule.axis)
        case _:
            return None


def _lengths(rule: Lengths, dtype: DType, rank: int) -> PositionalFill:
    if rule.mask is not None:
        mask = rule.mask

        def count(_: Sequence[Array], region: Region, around: SpecView) -> Array:
            size = around.shapes[mask][-1]
            return around.count_kept(mask, region.with_further(size)).astype(dtype.numpy)

        return PositionalFill(0, count)
    size = int(rule.size or 0)
    least = min(rule.least, size)
    low, high = {"ragged": (least, size), "full": (size, size), "shortest": (least, least)}[rule.policy]

    origin: tuple[int | slice, ...] = (slice(None), *[0] * rank)

    def build(drawn: Sequence[Array], region: Region, _: SpecView) -> Array:
        lengths = drawn[0].astype(dtype.numpy)
        if region.first_element:  # the first row is full
            lengths[origin] = size
        return lengths

    return PositionalFill(1, build, Integers(low, high - low + 1), by_element=True)


def _indices(size: int, dtype: DType, count: int | None, *, is_start: bool) -> PositionalFill:
    """Return the fill with indices below `size`; ascending if their `count` in a row is given, and from 0 on if they are starts.

    Element i is then ``(i * size + r) // count`` with `r` uniform in [0, size): each draws in a part of its own.
    """

    def build(drawn: Sequence[Array], region: Region, _: SpecView) -> Array:
        chosen = drawn[0] if count is None else (region.last * size + drawn[0]) // max(count, 1)
        chosen = np.where(region.last == 0, 0, chosen) if is_start else chosen
        return chosen.astype(dtype.numpy)

    return PositionalFill(1, build, Integers(0, max(size, 1)), by_element=True)


def _columns(rule: Columns, dtype: DType, axis: int) -> PositionalFill:
    lows, spans = np.array([(low, high - low) for low, high in rule.bounds], np.int64).reshape(-1, 2).T

    def build(drawn: Sequence[Array], region: Region, _: SpecView) -> Array:
        chosen = region.axes[axis]
        shape = (-1, *[1] * (len(region.axes) - 1 - axis))
        low, span = (part[chosen.start : chosen.stop : chosen.step].reshape(shape) for part in (lows, spans))
        offset = np.right_shift(np.multiply(drawn[0], span.astype(np.uint64), dtype=np.uint64), _U32)
        return (offset.view(np.int64) + low).astype(dtype.numpy)

    return PositionalFill(1, build, by_element=True)
