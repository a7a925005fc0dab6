"""A compiled spec: all inputs for given sizes, made many times.

Small tensors are all overhead, so their words are drawn together: one array holds the words of every small tensor of the
spec (and of many samples), is hashed once, and is cut into views. Large tensors are filled one by one, in blocks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from dummyio.materialize import counter_rng as counter
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
from dummyio.materialize.elementwise_rules import integers
from dummyio.materialize.index_region import Region
from dummyio.materialize.memory_budget import check_budget
from dummyio.materialize.tensor_program import Program, compile_tensor, ordered
from dummyio.typing import Array

if TYPE_CHECKING:
    from dummyio.spec.dims import Dim
    from dummyio.spec.spec_data import SpecData

__all__ = ["Plan"]

_U32 = np.array(32, np.uint64)
_I32 = np.array(32, np.int64)
_SMALL = 1 << 14
"""Tensors of at most this many elements are made together."""
_CHUNK = 1 << 18
"""Elements made at once where many samples are asked for."""


@dataclass(frozen=True, slots=True)
class _WordSlice:
    """Where a small tensor's words lie in the common array: pieces of the lattice's shape, one after another."""

    program: Program
    pieces: tuple[tuple[slice, slice], ...]
    whole: Region

    def finish(self, words: Array, whole: Array, around: _MaskStore) -> Array:
        """Return the tensor, with an axis of samples, from the common array as words and as whole numbers."""
        program, samples = self.program, len(words)
        common, shape = words if program.draw is None else whole, (samples, *program.lattice)
        if len(self.pieces) == 1:
            drawn = [common[self.pieces[0]].reshape(shape)]
        else:
            drawn = [common[piece].reshape(shape) for piece in self.pieces]
        return program.finish(drawn, self.whole, around, samples)


class _MaskStore:
    """The surroundings of a plan's rules: masks that are already made."""

    __slots__ = ("arrays", "dims", "paddings", "programs", "sizes")

    def __init__(self, plan: Plan) -> None:
        self.sizes = plan.sizes
        self.dims = plan.dims
        self.programs = plan.programs
        self.arrays: dict[str, Array] = {}
        self.paddings: dict[str, Array] = {}

    def shape(self, path: str) -> tuple[int, ...]:
        """Return another input's shape."""
        return self.programs[path].shape

    def padding(self, path: str, region: Region) -> Array:
        """Return where another input, a mask, masks."""
        padding = self.paddings.get(path)
        if padding is None:
            padding = self.paddings[path] = self.arrays[path] == self.programs[path].pad
        if region.sizes != region.shape:
            padding = padding[(slice(None), *(slice(a.start, a.stop, a.step) for a in region.axes))]
        return padding


class Plan:
    """The inputs of one spec at one choice of sizes."""

    def __init__(self, spec: SpecData, sizes: dict[str, int]) -> None:
        """Compile every tensor of `spec`."""
        self.sizes: Mapping[str, int] = sizes
        self.dims: Mapping[str, Dim] = spec.dims
        shapes = spec.shapes(sizes)
        compiled = [compile_tensor(path, leaf, shapes[path]) for path, leaf in spec.leaves]
        self.programs = {program.path: program for program in compiled}
        self.nbytes = spec_bytes(spec, sizes)
        self.elements = sum(_elements(program) for program in compiled)
        queue = ordered(compiled)
        self._order = [program.path for program in compiled]
        large = {program.path for program in compiled if _elements(program) > _SMALL}
        large |= {program.path for program in compiled if program.mask in large}  # small ones are made first
        self._large = [program for program in queue if program.path in large]
        self._cuts = _cut([program for program in queue if program.path not in large])
        self._chunk = 1 if self._large else max(1, _CHUNK // max(self.elements, 1))
        self._prepare()

    def _prepare(self) -> None:
        """Lay out the common array: index and key of every word, and the whole numbers it is to become."""
        first, second, low, span = [], [], [], []
        for cut in self._cuts:
            key = path_key(cut.program.path)
            count = scale_counters(Region.whole(cut.program.lattice).flat().ravel())
            for stream in range(cut.program.recipe.words):
                first.append(count + np.uint32(first_word(key, stream)))
                second.append(np.full(count.size, key[1], np.uint32))
                draw = cut.program.draw
                low.append(np.full(count.size, draw.low if draw else 0, np.int64))
                span.append(np.full(count.size, draw.span if draw else 0, np.uint64))
        self._first = _joined(first, np.uint32)
        self._second = _joined(second, np.uint32)
        self._low = _joined(low, np.int64)
        self._span = _joined(span, np.uint64)
        if self._span.max(initial=0) <= 1 << 31:  # then products with words fit int64, and need no view
            self._span = self._span.view(np.int64)
        self._draws_integers = any(cut.program.draw is not None for cut in self._cuts)
        self._shifts = bool(self._low.any())

    def run(self, seed: int, sample: int) -> dict[str, Array]:
        """Return one sample as path → array, each an array of its own."""
        arrays = self._make([sample_key(seed, sample)])
        return {path: arrays[path][0, ...] for path in self._order}  # ... keeps a scalar an array

    def run_many(self, seed: int, start: int, count: int) -> list[dict[str, Array]]:
        """Return samples `start` to ``start + count - 1``, made together where they are small."""
        if self._large:
            return [self.run(seed, sample) for sample in range(start, start + count)]
        arrays = self._make([sample_key(seed, sample) for sample in range(start, start + count)])
        return [{path: arrays[path][place, ...] for path in self._order} for place in range(count)]

    def _make(self, keys: Sequence[Key]) -> dict[str, Array]:
        """Return the inputs with a leading axis of samples, one for each key."""
        around = _MaskStore(self)
        words, whole = self._draw(keys)
        for cut in self._cuts:
            around.arrays[cut.program.path] = cut.finish(words, whole, around)
        for program in self._large:
            out = np.empty((1, *program.shape), program.spec.dtype.numpy)
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
        """`samplers.integers`, with each element's own range."""
        whole = np.multiply(x, self._span)
        if whole.dtype == np.int64:
            np.right_shift(whole, _I32, whole)
        else:
            whole = np.right_shift(whole, _U32, whole).view(np.int64)
        if self._shifts:
            np.add(whole, self._low, whole)
        return whole

    @property
    def large(self) -> bool:
        """Whether it makes tensors that could be over a memory budget."""
        return bool(self._large)

    @property
    def chunk(self) -> int:
        """How many samples are best made together."""
        return self._chunk

    def part(self, path: str, region: Region, seed: int, sample: int) -> Array:
        """Return a part of one input, made alone: nothing else of the tensor is made."""
        return _OnDemandMasks(self, sample_key(seed, sample)).values(path, region)[0, ...]


class _OnDemandMasks:
    """Surroundings that make the parts of masks on demand."""

    def __init__(self, plan: Plan, key: Key) -> None:
        self.sizes = plan.sizes
        self.dims = plan.dims
        self._programs = plan.programs
        self._key = key

    def shape(self, path: str) -> tuple[int, ...]:
        """Return another input's shape."""
        return self._programs[path].shape

    def padding(self, path: str, region: Region) -> Array:
        """Return where another input, a mask, masks."""
        return self.values(path, region) == self._programs[path].pad

    def values(self, path: str, region: Region) -> Array:
        """Return a part of an input, with an axis for the one sample."""
        program = self._programs[path]
        check_budget(8 * prod(region.sizes), f"a part of {path}")  # a rule can ask for whole rows of its mask
        key = combine_keys(path_key(path), self._key)
        lattice = region if program.sampler is not None else region.rows()
        index = lattice.flat()[None] if program.recipe.words else None
        drawn = (
            [counter.random_words(index, key, stream) for stream in range(program.recipe.words)]
            if index is not None
            else []
        )
        if program.draw is not None:
            drawn = [integers(word, program.draw) for word in drawn]
        return program.finish(drawn, region, self, 1)


def _elements(program: Program) -> int:
    return max(prod(program.shape), program.drawn)


def spec_bytes(spec: SpecData, sizes: Mapping[str, int]) -> int:
    """Return the bytes of one sample."""
    return sum(leaf.nbytes(sizes) for _, leaf in spec.leaves)


def _cut(programs: Sequence[Program]) -> list[_WordSlice]:
    cuts, start = [], 0
    for program in programs:
        size = prod(program.lattice)
        pieces = [(slice(None), slice(start + k * size, start + (k + 1) * size)) for k in range(program.recipe.words)]
        cuts.append(_WordSlice(program, tuple(pieces), Region.whole(program.shape)))
        start += program.drawn
    return cuts


def _joined(parts: Sequence[Array], dtype: Any) -> Array:
    return np.concatenate(parts)[None] if parts else np.empty((1, 0), dtype)
