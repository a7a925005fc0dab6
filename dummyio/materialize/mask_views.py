"""The masks of a sample, as the rules that follow them need them: whole small arrays, or large ones a block at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from dummyio.materialize.counter_rng import Key, combine_keys, path_key
from dummyio.materialize.index_region import Region
from dummyio.materialize.memory_budget import check_budget
from dummyio.materialize.tensor_program import Program, draw_words
from dummyio.typing import Array

_PIECE = 1 << 17
"""Elements of a mask that are read at once."""


class MaskStore:
    """A `SpecView` of small masks that are already made, for one sample or many."""

    __slots__ = ("arrays", "paddings", "programs", "shapes")

    def __init__(self, programs: Mapping[str, Program], shapes: Mapping[str, tuple[int, ...]]) -> None:
        self.shapes = shapes
        self.programs = programs
        self.arrays: dict[str, Array] = {}
        self.paddings: dict[str, Array] = {}

    def padding(self, path: str, region: Region) -> Array:
        """See `SpecView.padding`."""
        padding = self.paddings.get(path)
        if padding is None:
            padding = self.paddings[path] = self.arrays[path] == self.programs[path].padding
        if region.sizes != region.shape:
            padding = padding[(slice(None), *_as_slices(region))]
        return padding

    def positions(self, path: str, region: Region) -> Array:
        """See `SpecView.positions`."""
        size = region.shape[-1]
        counted = np.cumsum(~self.padding(path, region.with_last(size, range(size))), axis=-1, dtype=np.int64)
        counted -= 1
        np.maximum(counted, 0, out=counted)
        return counted if len(region.last) == size else counted[..., region.last]

    def row_ends(self, path: str, region: Region) -> Array:
        """See `SpecView.row_ends`."""
        padding = self.padding(path, region)
        return region.shape[-1] - 1 - np.argmin(padding[..., ::-1], axis=-1)[..., None]

    def count_kept(self, path: str, region: Region) -> Array:
        """See `SpecView.count_kept`."""
        return np.count_nonzero(~self.padding(path, region), axis=-1)


class BlockMasks:
    """A `SpecView` of one sample that holds no mask whole: it computes the rows' lengths, or reads the mask in pieces.

    `arrays` are the inputs that are made already, with an axis for the one sample.
    """

    def __init__(
        self,
        programs: Mapping[str, Program],
        shapes: Mapping[str, tuple[int, ...]],
        key: Key,
        arrays: Mapping[str, Array] | None = None,
    ) -> None:
        self.shapes = shapes
        self._programs = programs
        self._key = key
        self._arrays = arrays or {}
        # Blocks of one row follow each other: what the row holds up to here is kept for the next block.
        self._counted: tuple[object, int, Array] | None = None
        self._ends: tuple[object, Array] | None = None

    def padding(self, path: str, region: Region) -> Array:
        """See `SpecView.padding`."""
        program = self._programs[path]
        lengths, size = self._find_lengths(program, region), region.shape[-1]
        if lengths is not None:
            return region.last < size - lengths if _is_left(program) else region.last >= lengths
        made = self._arrays.get(path)
        if made is not None:
            return made[(slice(None), *_as_slices(region))] == program.padding
        return program.finish(self._draw(program, region), region, self, 1) == program.padding

    def positions(self, path: str, region: Region) -> Array:
        """See `SpecView.positions`."""
        program = self._programs[path]
        lengths, size = self._find_lengths(program, region), region.shape[-1]
        if lengths is None:
            return self._count_positions(path, region)
        if _is_left(program):
            return np.maximum(region.last - (size - lengths), 0)
        return np.minimum(region.last, lengths - 1)

    def row_ends(self, path: str, region: Region) -> Array:
        """See `SpecView.row_ends`."""
        program = self._programs[path]
        lengths, size, start = self._find_lengths(program, region), region.shape[-1], region.axes[-1].start
        if lengths is None:
            return self._find_row_ends(path, region)
        if _is_left(program):
            return np.full_like(lengths, size - 1)
        return np.where(lengths > start, lengths, size) - 1

    def count_kept(self, path: str, region: Region) -> Array:
        """See `SpecView.count_kept`."""
        lengths = self._find_lengths(self._programs[path], region)
        if lengths is not None:
            return lengths[..., 0]
        total = np.zeros((1, *region.sizes[:-1]), np.int64)
        for piece in self._read_pieces(path, region, region.axes[-1]):
            total += np.count_nonzero(~self.padding(path, piece), axis=-1)
        return total

    def _draw(self, program: Program, region: Region) -> list[Array]:
        return draw_words(program, region, combine_keys(path_key(program.path), self._key))

    def _find_lengths(self, program: Program, region: Region) -> Array | None:
        """Return the lengths of a mask's rows, with a last axis of 1; None for a mask that is not made of lengths."""
        if program.positional is None or program.positional.lengths is None:
            return None
        return program.positional.lengths.compute(self._draw(program, region), region)

    def _count_positions(self, path: str, region: Region) -> Array:
        axis, key = region.axes[-1], (path, region.axes[:-1])
        stop, count = 0, np.zeros((1, *region.sizes[:-1], 1), np.int64)
        if self._counted is not None and self._counted[0] == key and self._counted[1] <= axis.start:
            _, stop, count = self._counted
        out = np.empty((1, *region.sizes), np.int64)
        for piece in self._read_pieces(path, region, range(stop, axis[-1] + 1)):
            counted = np.cumsum(~self.padding(path, piece), axis=-1, dtype=np.int64)
            counted += count
            columns = piece.axes[-1]
            first, last = (max(0, -((axis.start - edge) // axis.step)) for edge in (columns.start, columns.stop))
            if first < last:
                out[..., first:last] = counted[..., axis[first] - columns.start :: axis.step]
            count = counted[..., -1:].copy()
        self._counted = (key, axis[-1] + 1, count)
        out -= 1
        return np.maximum(out, 0, out=out)

    def _find_row_ends(self, path: str, region: Region) -> Array:
        key, size = (path, region.axes), region.shape[-1]
        if self._ends is not None and self._ends[0] == key:
            return self._ends[1]
        ends = np.full((1, *region.sizes[:-1], 1), -1)
        for piece in self._read_pieces(path, region, region.axes[-1], backward=True):
            padding = self.padding(path, piece)
            last = piece.axes[-1].stop - 1 - np.argmin(padding[..., ::-1], axis=-1)[..., None]
            np.copyto(ends, last, where=(ends < 0) & ~padding.all(axis=-1, keepdims=True))
            if (ends >= 0).all():
                break
        ends[ends < 0] = size - 1
        self._ends = (key, ends)
        return ends

    def _read_pieces(self, path: str, region: Region, columns: range, *, backward: bool = False) -> Iterator[Region]:
        """Yield the rows of a mask in pieces of their columns."""
        if path not in self._arrays:
            check_budget(8 * len(columns), f"a part of {path}")  # not its memory, but its time: all of it is computed
        step = max(1, _PIECE // max(1, np.prod(region.sizes[:-1], dtype=int)))
        starts = range(0, len(columns), step)
        for start in reversed(starts) if backward else starts:
            yield region.with_last(region.shape[-1], columns[start : start + step])


def _is_left(program: Program) -> bool:
    return program.positional is not None and program.positional.lengths is not None and program.positional.lengths.left


def _as_slices(region: Region) -> tuple[slice, ...]:
    return tuple(slice(axis.start, axis.stop, axis.step) for axis in region.axes)
