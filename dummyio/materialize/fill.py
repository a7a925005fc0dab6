"""Large tensors: filled in blocks that stay in the processor's cache, by several threads.

Values repeat after `PERIOD` elements, so the first period is computed and the rest is copied: most of a large fill is
as fast as memory. Threads share out the blocks; which thread makes which block changes nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from dummyio.materialize.counter import PERIOD, Key, counts, first_word, scramble, words
from dummyio.materialize.program import Program
from dummyio.materialize.region import Region
from dummyio.materialize.samplers import Array, Sampler, integers
from dummyio.materialize.structures import Surroundings

__all__ = ["fill_program", "fill_sampler"]

_BLOCK = 1 << 15
"""Elements computed at once: words, floats and results of that many fit a second-level cache."""
_COPY = 1 << 19
"""Bytes of the first period that are copied to all others at once."""
_ROWS = 1 << 20
"""Elements of a part that is made by place at once."""


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count() or 1, thread_name_prefix="dummyio")


if hasattr(os, "register_at_fork"):
    # A forked child has the pool but none of its threads, and would wait for them for ever.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _each(work: Callable[[Any], None], items: Iterable[Any], threads: int | None) -> None:
    """Do `work` for every item, on the common pool or on this thread alone."""
    if threads == 1:
        for item in items:
            work(item)
    else:
        list(_pool().map(work, items))


def fill_program(out: Array, program: Program, key: Key, around: Surroundings, threads: int | None = None) -> None:
    """Fill `out`, of shape (1, \\*program.shape), with the values of one sample."""
    if program.sampler is not None:
        fill_sampler(out.reshape(-1), program.sampler, key, threads)
    if program.sampler is None or program.overlay is not None:
        _fill_parts(out, program, key, around)


def fill_sampler(flat: Array, sampler: Sampler, key: Key, threads: int | None = None) -> None:
    """Fill a flat, contiguous array element by element; `threads=1` uses this thread alone."""
    if sampler.words == 0:
        flat[...] = sampler.values(())[0]
        return
    first = flat[:PERIOD]
    blocks = [slice(start, min(start + _BLOCK, first.size)) for start in range(0, first.size, _BLOCK)]
    _each(lambda block: _compute(first, block, sampler, key), blocks, threads if len(blocks) > 4 else 1)
    if flat.size > PERIOD:
        _repeat(flat, threads)


@lru_cache(maxsize=1)
def _counting() -> Array:
    return counts(np.arange(_BLOCK, dtype=np.uint32))


def _compute(out: Array, block: slice, sampler: Sampler, key: Key) -> None:
    size = block.stop - block.start
    count, scratch = _counting()[:size], np.empty(size, np.uint32)
    drawn: list[Array] = []
    for stream in range(sampler.words):
        first = np.uint32(first_word(key, stream, block.start))
        x = scramble(count, first, np.uint32(key[1]), np.empty(size, np.uint32), scratch)
        drawn.append(x if sampler.draw is None else integers(x, sampler.draw))
    out[block] = sampler.values(drawn)


def _repeat(flat: Array, threads: int | None) -> None:
    """Copy the first period over all that follows it, piece by piece, so that a piece stays in the cache."""
    raw = flat if flat.dtype == object else flat.view(np.uint8)
    period = PERIOD * (1 if flat.dtype == object else flat.itemsize)
    whole = raw[: raw.size // period * period].reshape(-1, period)
    rest = raw[whole.size :]

    def copy(piece: slice) -> None:
        whole[1:, piece] = whole[0, piece]

    _each(copy, [slice(start, start + _COPY) for start in range(0, period, _COPY)], threads)
    rest[...] = whole[0, : rest.size]


def _fill_parts(out: Array, program: Program, key: Key, around: Surroundings) -> None:
    """Make by place, a group of rows at a time, what depends on its place; or overwrite it so."""
    if not program.shape or 0 in program.shape:
        return
    for axes in _parts(program.shape):
        region = Region(program.shape, axes)
        view = out[(slice(None), *(slice(axis.start, axis.stop) for axis in axes))]
        if program.overlay is not None and program.sampler is not None:
            program.overlay(view, region, around)
        else:
            view[...] = program.finish(_row_words(program, region, key), region, around, 1)


def _row_words(program: Program, region: Region, key: Key) -> list[Array]:
    index = region.rows().flat()[None]
    drawn = [words(index, key, stream) for stream in range(program.recipe.words)]
    return drawn if program.draw is None else [integers(word, program.draw) for word in drawn]


def _parts(shape: tuple[int, ...]) -> Iterable[tuple[range, ...]]:
    """Cut a shape into parts of about `_ROWS` elements along its leading axes, never through the last."""
    inner = shape[-1]
    axis = len(shape) - 1
    while axis > 0 and inner * shape[axis - 1] <= _ROWS:
        axis -= 1
        inner *= shape[axis]
    if axis == 0:
        yield tuple(range(size) for size in shape)
        return
    step = max(1, _ROWS // inner)
    for outer in np.ndindex(*shape[: axis - 1]):
        for start in range(0, shape[axis - 1], step):
            rows = range(start, min(start + step, shape[axis - 1]))
            yield (*(range(i, i + 1) for i in outer), rows, *(range(size) for size in shape[axis:]))
