"""Fills large tensors in blocks that stay in the processor's cache, by several threads.

Values repeat after `PERIOD` elements, so the first period is computed and the rest is copied, by other threads at the same
time: a large fill is as fast as memory. The values do not depend on the threads.
"""

import os
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numpy as np

from dummyio.materialize.counter_rng import PERIOD, Key, first_word, hash_counters, scale_counters
from dummyio.materialize.elementwise_rules import Sampler, draw_integers
from dummyio.materialize.index_region import Region
from dummyio.materialize.positional_rules import Overlay, SpecView
from dummyio.materialize.tensor_program import Program, draw_words
from dummyio.typing import Array

_BLOCK = 1 << 15
"""Elements computed at once: their words, floats and results fit a second-level cache."""
_COPY = 1 << 19
"""Bytes of the first period that are copied to all others at once."""
_LINE = 64
"""Bytes of a cache line."""
_THREADS = 8
"""The largest number of threads: a few are as fast as memory."""
_ROWS = 1 << 18
"""Elements that a positional rule, or a part, makes at once: their temporary arrays stay in the processor's cache."""


@lru_cache(maxsize=1)
def _count_processors() -> int:
    """Return the number of processors that this process may use, at most `_THREADS`."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return min(allowed or 1, _THREADS)


@lru_cache(maxsize=1)
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="dummyio")


if hasattr(os, "register_at_fork"):
    # A forked child has the pool without its threads, and would wait for them forever.
    os.register_at_fork(after_in_child=_pool.cache_clear)


def _allocate_cache_aligned(size: int, dtype: Any) -> Array:
    """Return an array that starts at a cache line: passes over it are a fifth faster."""
    room = np.empty(size * np.dtype(dtype).itemsize + _LINE, np.uint8)
    start = -room.__array_interface__["data"][0] % _LINE
    return room[start : start + room.size - _LINE].view(dtype)


class _Scratch(threading.local):
    """Arrays that a thread keeps: new ones for each block would cost a page fault for every few KiB."""

    def __init__(self) -> None:
        self.words = [_allocate_cache_aligned(_BLOCK, np.uint32)]
        self.whole = _allocate_cache_aligned(_BLOCK, np.int64)
        self.made = _allocate_cache_aligned(_BLOCK * 16, np.uint8)


_SCRATCH = _Scratch()


def fill_program(out: Array, program: Program, key: Key, around: SpecView, threads: int | None = None) -> None:
    r"""Fill `out`, of shape (1, \*program.shape), with the values of one sample."""
    region = Region.whole(program.shape)
    if program.sampler is None:
        fill_region(out, program, region, key, around)
        return
    fill_sampler(out.reshape(-1), program.sampler, key, threads)
    if program.overlay is not None and not region.empty:
        _overwrite(out, program.overlay, region, around)


def fill_sampler(flat: Array, sampler: Sampler, key: Key, threads: int | None = None) -> None:
    """Fill a flat, contiguous array element by element; `threads=1` uses this thread alone.

    This thread computes the first period, and others copy the finished pieces: copies are long, but passes over a block are
    too short for several threads, which would mostly wait for Python's lock.
    """
    if sampler.words == 0:
        flat[...] = sampler.values(())[0]
        return
    first, copies = flat[:PERIOD], _Copies(flat, threads or _count_processors())
    for start in range(0, first.size, _BLOCK):
        _compute(first[start : start + _BLOCK], start, sampler, key)
        copies.reach(min(start + _BLOCK, first.size))
    copies.finish()


@lru_cache(maxsize=1)
def _block_counters() -> Array:
    count = _allocate_cache_aligned(_BLOCK, np.uint32)
    count[...] = scale_counters(np.arange(_BLOCK, dtype=np.uint32))
    return count


def _compute(out: Array, start: int, sampler: Sampler, key: Key) -> None:
    """Compute the elements of `out`, the first of which is the tensor's element `start`."""
    if sampler.into is None:
        out[...] = sampler.values(_draw(start, out, sampler, key))
        return
    made = _SCRATCH.made[: out.nbytes].view(out.dtype)
    sampler.into(_draw(start, made, sampler, key), made)
    out.view(np.uint8)[...] = made.view(np.uint8)  # NumPy copies bytes faster than most dtypes


def _draw(start: int, block: Array, sampler: Sampler, key: Key) -> list[Array]:
    """Return the words or integers that a sampler takes for a block, in arrays that the thread keeps or in the block."""
    size, kept = block.size, _SCRATCH.words
    kept += [_allocate_cache_aligned(_BLOCK, np.uint32) for _ in range(sampler.words + 1 - len(kept))]
    scratch, *drawn = (words[:size] for words in kept[: sampler.words + 1])
    for stream, x in enumerate(drawn):
        first = np.uint32(first_word(key, stream, start))
        hash_counters(_block_counters()[:size], first, np.uint32(key[1]), x, scratch)
    if sampler.draw is None:
        return drawn
    return [draw_integers(drawn[0], sampler.draw, block if block.dtype == np.int64 else _SCRATCH.whole[:size])]


class _Copies:
    """The copies of the first period over the rest of the array, made piece by piece while the period is computed.

    A piece is copied to all its places at once, so that it is read from the cache.
    """

    def __init__(self, flat: Array, threads: int) -> None:
        raw = flat if flat.dtype == object else flat.view(np.uint8)
        self._unit = 1 if flat.dtype == object else flat.itemsize
        period = PERIOD * self._unit
        count = raw.size // period
        self._whole = raw[: count * period].reshape(count, period)
        self._rest = raw[count * period :]
        self._pool = _pool() if threads > 1 and raw.size > period else None
        self._done = 0
        self._begun: list[tuple[int, int, Future[None]]] = []

    def reach(self, elements: int) -> None:
        """Copy the elements computed so far, `elements` in number, if they make up a piece."""
        stop = elements * self._unit
        if len(self._whole) and (stop - self._done >= _COPY or elements == PERIOD):
            if self._pool is None:
                self._copy(self._done, stop)
            else:
                self._begun.append((self._done, stop, self._pool.submit(self._copy, self._done, stop)))
            self._done = stop

    def finish(self) -> None:
        """Make the copies that no thread has begun, and wait for the others."""
        for start, stop, copy in reversed(self._begun):
            if copy.cancel():
                self._copy(start, stop)
        for _, _, copy in self._begun:
            if not copy.cancelled():
                copy.result()
        # A cancelled copy stays in the queue until a thread takes it, and must not keep the array.
        del self._whole, self._rest

    def _copy(self, start: int, stop: int) -> None:
        piece, end = self._whole[0, start:stop], self._rest[start:stop]
        self._whole[1:, start:stop] = piece
        end[...] = piece[: end.size]


def fill_region(out: Array, program: Program, region: Region, key: Key, around: SpecView) -> None:
    r"""Fill `out`, of shape (1, \*region.sizes), with a part of a tensor, a block at a time."""
    for place, block in () if region.empty else region.split(_ROWS):
        out[(slice(None), *place)] = program.finish(draw_words(program, block, key), block, around, 1)


def _overwrite(out: Array, overlay: Overlay, region: Region, around: SpecView) -> None:
    for place, block in region.split(_ROWS):
        overlay(out[(slice(None), *place)], block, around)
