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

from dummyio.materialize.block_fill import fill_program, fill_region
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
from dummyio.materialize.mask_views import BlockMasks, MaskStore
from dummyio.materialize.memory_budget import Need
from dummyio.materialize.tensor_program import Program, compile_tensor
from dummyio.spec.spec_data import SpecData
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import substitute_rule_dims
from dummyio.typing import Array

_U32 = np.array(32, np.uint64)
_I32 = np.array(32, np.int64)
_SMALL = 1 << 14
"""Tensors of at most this many elements are made together."""
_TOGETHER = 1 << 17
"""The largest number of elements that are made together: each takes several words of memory meanwhile."""
_CHUNK = 1 << 18
"""Elements made at once where many samples are asked for."""
_MAX_CHUNK = 1024
"""Samples made at once."""

_Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class _WordSlice:
    """The place of a small tensor's words in the common array: pieces of the lattice's shape, one after another."""

    program: Program
    pieces: tuple[tuple[slice, slice], ...]
    whole: Region

    def finish(self, words: Array, whole: Array, around: MaskStore) -> Array:
        """Return the tensor, with an axis of samples, from the common array as words and as whole numbers."""
        program, samples = self.program, len(words)
        common, shape = words if program.draw is None else whole, (samples, *program.lattice)
        if len(self.pieces) == 1:  # a comprehension takes noticeably longer for small tensors
            drawn = [common[self.pieces[0]].reshape(shape)]
        else:
            drawn = [common[piece].reshape(shape) for piece in self.pieces]
        values = program.finish(drawn, self.whole, around, samples)
        return values if values.flags.writeable else values.copy()


class Plan:
    """The inputs of one spec at one choice of sizes.

    `large` are the tensors that could exceed a memory budget, `chunk` is the number of samples that are best made together.
    """

    def __init__(self, spec: SpecData, sizes: Mapping[str, int], shapes: _Shapes, need: Need) -> None:
        """Compile all tensors of `spec`."""
        self.shapes, self.need = shapes, need
        self.programs: dict[str, Program] = {}
        for path, leaf in spec.leaves:
            self.programs[path] = _compile(path, leaf, spec, sizes, shapes)
        made = [program for program in self.programs.values() if 0 not in program.shape]
        masks_first = sorted(made, key=lambda program: program.mask is not None)
        large = _choose_large(masks_first)
        self.large = [program for program in masks_first if program.path in large]
        self._empty = [program for program in self.programs.values() if 0 in program.shape]
        self._cuts = _slice_words([program for program in masks_first if program.path not in large])
        cost = sum(map(_count_cost, made))
        self.chunk = 1 if self.large else min(max(1, _CHUNK // max(cost, 1)), _MAX_CHUNK)
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
        around = MaskStore(self.programs, self.shapes)
        arrays = around.arrays
        for program in self._empty:
            arrays[program.path] = np.empty((len(keys), *program.shape), program.dtype.numpy)
        words, whole = self._draw(keys)
        for cut in self._cuts:
            arrays[cut.program.path] = cut.finish(words, whole, around)
        if self.large:
            masks = BlockMasks(self.programs, self.shapes, keys[0], arrays)
            for program in self.large:
                out = arrays[program.path] = np.empty((1, *program.shape), program.dtype.numpy)
                fill_program(out, program, combine_keys(path_key(program.path), keys[0]), masks)
        return arrays

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


def _compile(path: str, leaf: TensorSpec, spec: SpecData, sizes: Mapping[str, int], shapes: _Shapes) -> Program:
    return compile_tensor(path, leaf.dtype, substitute_rule_dims(leaf.values, spec.dims, sizes), shapes[path])


def make_part(
    spec: SpecData, path: str, region: Region, sizes: Mapping[str, int], shapes: _Shapes, sample: Key
) -> Array:
    """Return a part of one input without making the rest of it, or of its mask."""
    leaves = dict(spec.leaves)
    program = _compile(path, leaves[path], spec, sizes, shapes)
    programs = {path: program}
    if program.mask is not None:
        programs[program.mask] = _compile(program.mask, leaves[program.mask], spec, sizes, shapes)
    out = np.empty((1, *region.sizes), program.dtype.numpy)
    fill_region(out, program, region, combine_keys(path_key(path), sample), BlockMasks(programs, shapes, sample))
    return out[0, ...]


def _count_cost(program: Program) -> int:
    """Return the number of elements or words that a tensor takes, whichever is larger; texts count their words."""
    return max(prod(program.shape) * program.weight, program.drawn)


def _choose_large(masks_first: Sequence[Program]) -> set[str]:
    """Return the paths of the tensors that are filled one by one."""
    large: set[str] = set()
    together = 0
    for program in masks_first:
        cost = _count_cost(program)
        if cost > _SMALL or together + cost > _TOGETHER or program.mask in large:  # small ones are made first
            large.add(program.path)
        else:
            together += cost
    return large


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
