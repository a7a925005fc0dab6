"""A compiled spec: makes all inputs for given sizes, many times.

For small tensors, overhead dominates, so their words are drawn together: one array holds the words of all small tensors of
the spec (and of many samples), is hashed once, and is sliced into views. Large tensors are filled one by one, in blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np

from dummyio.materialize.block_fill import fill_program
from dummyio.materialize.counter_rng import (
    Key,
    combine_keys,
    first_word,
    hash_counters,
    path_key,
    sample_key,
    scale_counters,
)
from dummyio.materialize.index_region import Region
from dummyio.materialize.memory_budget import check_budget
from dummyio.materialize.tensor_program import Program, compile_tensor, draw_words
from dummyio.spec.spec_data import SpecData
from dummyio.spec.values import substitute_rule_dims
from dummyio.typing import Array

_U32 = np.array(32, np.uint64)
_I32 = np.array(32, np.int64)
_SMALL = 1 << 14
"""Tensors of at most this many elements are made together."""
_CHUNK = 1 << 18
"""Elements made at once where many samples are asked for."""


@dataclass(frozen=True, slots=True)
class _WordSlice:
    """The place of a small tensor's words in the common array: pieces of the lattice's shape, one after another."""

    program: Program
    pieces: tuple[tuple[slice, slice], ...]
    whole: Region

    def finish(self, words: Array, whole: Array, around: _MaskStore) -> Array:
        """Return the tensor, with an axis of samples, from the common array as words and as whole numbers."""
        program, samples = self.program, len(words)
        common, shape = words if program.draw is None else whole, (samples, *program.lattice)
        if len(self.pieces) == 1:  # a comprehension takes noticeably longer for small tensors
            drawn = [common[self.pieces[0]].reshape(shape)]
        else:
            drawn = [common[piece].reshape(shape) for piece in self.pieces]
        return program.finish(drawn, self.whole, around, samples)


class _MaskStore:
    """A `SpecView` of the masks that are already made."""

    __slots__ = ("arrays", "paddings", "programs", "shapes")

    def __init__(self, plan: Plan) -> None:
        self.shapes = plan.shapes
        self.programs = plan.programs
        self.arrays: dict[str, Array] = {}
        self.paddings: dict[str, Array] = {}

    def padding(self, path: str, region: Region) -> Array:
        padding = self.paddings.get(path)
        if padding is None:
            padding = self.paddings[path] = self.arrays[path] == self.programs[path].padding
        if region.sizes != region.shape:
            padding = padding[(slice(None), *(slice(a.start, a.stop, a.step) for a in region.axes))]
        return padding


class Plan:
    """The inputs of one spec at one choice of sizes.

    `large` are the tensors that could exceed a memory budget, `chunk` is the number of samples that are best made together.
    """

    def __init__(self, spec: SpecData, sizes: dict[str, int]) -> None:
        """Compile all tensors of `spec`."""
        self.shapes: Mapping[str, tuple[int, ...]] = spec.shapes(sizes)
        self.programs: dict[str, Program] = {}
        for path, leaf in spec.leaves:
            rule = substitute_rule_dims(leaf.values, spec.dims, sizes)
            self.programs[path] = compile_tensor(path, leaf.dtype, rule, self.shapes[path])
        masks_first = sorted(self.programs.values(), key=lambda program: program.mask is not None)
        large = {path for path, program in self.programs.items() if _count_elements(program) > _SMALL}
        large |= {path for path, program in self.programs.items() if program.mask in large}  # small ones are made first
        self.large = [program for program in masks_first if program.path in large]
        self._cuts = _slice_words([program for program in masks_first if program.path not in large])
        elements = sum(map(_count_elements, self.programs.values()))
        self.chunk = 1 if self.large else max(1, _CHUNK // max(elements, 1))
        self._prepare()

    def _prepare(self) -> None:
        """Lay out the common array: the index and key of each word, and the whole numbers that it draws."""
        first, second, low, span = [], [], [], []
        for cut in self._cuts:
            key = path_key(cut.program.path)
            count = scale_counters(Region.whole(cut.program.lattice).flat().ravel())
            for stream in range(cut.program.words):
                first.append(count + np.uint32(first_word(key, stream)))
                second.append(np.full(count.size, key[1], np.uint32))
                draw = cut.program.draw
                low.append(np.full(count.size, draw.low if draw else 0, np.int64))
                span.append(np.full(count.size, draw.span if draw else 0, np.uint64))
        self._first = _concatenate(first, np.uint32)
        self._second = _concatenate(second, np.uint32)
        self._low = _concatenate(low, np.int64)
        self._span = _concatenate(span, np.uint64)
        if self._span.max(initial=0) <= 1 << 31:  # products with words fit int64, which needs no view
            self._span = self._span.view(np.int64)
        self._draws_integers = any(cut.program.draw is not None for cut in self._cuts)
        self._shifts = bool(self._low.any())

    def run(self, seed: int, sample: int) -> dict[str, Array]:
        """Return one sample as separate arrays, by path."""
        arrays = self._make([sample_key(seed, sample)])
        return {path: arrays[path][0, ...] for path in self.programs}  # ... keeps a scalar an array

    def run_many(self, seed: int, start: int, count: int) -> list[dict[str, Array]]:
        """Return samples `start` to ``start + count - 1``, made together if they are small."""
        if self.large:
            return [self.run(seed, sample) for sample in range(start, start + count)]
        arrays = self._make([sample_key(seed, sample) for sample in range(start, start + count)])
        return [{path: arrays[path][place, ...] for path in self.programs} for place in range(count)]

    def _make(self, keys: Sequence[Key]) -> dict[str, Array]:
        """Return the inputs with a leading axis of samples, one for each key."""
        around = _MaskStore(self)
        words, whole = self._draw(keys)
        for cut in self._cuts:
            around.arrays[cut.program.path] = cut.finish(words, whole, around)
        for program in self.large:
            out = np.empty((1, *program.shape), program.dtype.numpy)
            fill_program(out, program, combine_keys(path_key(program.path), keys[0]), around)
            around.arrays[program.path] = out
        return around.arrays

    def _draw(self, keys: Sequence[Key]) -> tuple[Array, Array]:
        """Return the common array for these samples: as words, and as whole numbers."""
        first: Array
        second: Array
        if len(keys) == 1:
            first, second = np.array(keys[0][0], np.uint32), np.array(keys[0][1], np.uint32)
        else:
            table = np.array(keys, np.uint32)
            first, second = table[:, :1], table[:, 1:]
        x = np.empty((len(keys), self._first.size), np.uint32)
        hash_counters(self._first, first, self._second ^ second, x, np.empty_like(x))
        return x, self._integers(x) if self._draws_integers else x

    def _integers(self, x: Array) -> Array:
        """As `draw_integers`, with a range for each element."""
        whole = np.multiply(x, self._span)
        if whole.dtype == np.int64:
            np.right_shift(whole, _I32, whole)
        else:
            whole = np.right_shift(whole, _U32, whole).view(np.int64)
        if self._shifts:
            np.add(whole, self._low, whole)
        return whole

    def part(self, path: str, region: Region, seed: int, sample: int) -> Array:
        """Return a part of one input without making the rest of it."""
        return _OnDemandMasks(self, sample_key(seed, sample)).values(path, region)[0, ...]


class _OnDemandMasks:
    """A `SpecView` that makes the parts of masks on demand."""

    def __init__(self, plan: Plan, key: Key) -> None:
        self.shapes = plan.shapes
        self._programs = plan.programs
        self._key = key

    def padding(self, path: str, region: Region) -> Array:
        return self.values(path, region) == self._programs[path].padding

    def values(self, path: str, region: Region) -> Array:
        """Return a part of an input, with an axis for the one sample."""
        program = self._programs[path]
        check_budget(8 * prod(region.sizes), f"a part of {path}")  # a rule can need whole rows of its mask
        key = combine_keys(path_key(path), self._key)
        return program.finish(draw_words(program, region, key), region, self, 1)


def _count_elements(program: Program) -> int:
    return max(prod(program.shape), program.drawn)


def _slice_words(programs: Sequence[Program]) -> list[_WordSlice]:
    cuts, start = [], 0
    for program in programs:
        size = prod(program.lattice)
        pieces = [(slice(None), slice(start + k * size, start + (k + 1) * size)) for k in range(program.words)]
        cuts.append(_WordSlice(program, tuple(pieces), Region.whole(program.shape)))
        start += program.drawn
    return cuts


def _concatenate(parts: Sequence[Array], dtype: Any) -> Array:
    return np.concatenate(parts)[None] if parts else np.empty((1, 0), dtype)
