"""A rectangular part of a tensor: its indices on each axis, and as flat indices."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.materialize.counter_rng import PERIOD, Words
from dummyio.spec.plain_values import show_value, take_items, to_int
from dummyio.spec.tensor_spec import MAX_AXES

Indices = np.ndarray[Any, np.dtype[np.int64]]


@dataclass(frozen=True)
class Region:
    """The elements of a tensor of `shape` whose index on axis k is in ``axes[k]``."""

    shape: tuple[int, ...]
    axes: tuple[range, ...]

    @cached_property
    def sizes(self) -> tuple[int, ...]:
        """The part's own shape."""
        return tuple(len(axis) for axis in self.axes)

    @property
    def empty(self) -> bool:
        """Whether the part has no elements."""
        return 0 in self.sizes

    @cached_property
    def first_row(self) -> bool:
        """Whether the first row of the tensor is the first row of the part."""
        return self.rows().first_element

    @cached_property
    def first_element(self) -> bool:
        """Whether the first element of the tensor is the first element of the part."""
        return all(axis.start == 0 and len(axis) for axis in self.axes)

    @cached_property
    def last(self) -> Indices:
        """The indices on the last axis, as a read-only array."""
        axis = self.axes[-1]
        indices = np.arange(axis.start, axis.stop, axis.step, dtype=np.int64)
        indices.flags.writeable = False
        return indices

    @classmethod
    def whole(cls, shape: tuple[int, ...]) -> Region:
        """Return the region of a whole tensor."""
        return cls(shape, tuple(range(size) for size in shape))

    @classmethod
    def of(cls, shape: tuple[int, ...], index: Sequence[slice]) -> Region:
        """Return the region of ``tensor[index]``; steps must be positive."""
        given = take_items(index, MAX_AXES)
        if given is None or not all(map(_is_slice, given)):
            raise OptionError(f"index={show_value(index)}: use one slice for each axis, with positive steps.")
        if len(given) > len(shape):
            raise OptionError(f"{len(given)} slices for a tensor of rank {len(shape)}.")
        slices = [*given, *([slice(None)] * (len(shape) - len(given)))]
        return cls(shape, tuple(range(*s.indices(size)) for s, size in zip(slices, shape, strict=True)))

    def rows(self) -> Region:
        """Return the region without its last axis."""
        return Region(self.shape[:-1], self.axes[:-1])

    def with_last(self, size: int, axis: range) -> Region:
        """Return this region with another last axis, of a tensor of that size there."""
        return Region((*self.shape[:-1], size), (*self.axes[:-1], axis))

    def with_further(self, size: int) -> Region:
        """Return this region with a further axis, all of it, of a tensor of that size there."""
        return Region((*self.shape, size), (*self.axes, range(size)))

    def split(self, limit: int) -> Iterator[tuple[tuple[slice, ...], Region]]:
        """Yield regions of at most `limit` elements that make up this one, row by row, each with its place in the part."""
        sizes, axis, inner = self.sizes, len(self.axes), 1
        while axis > 0 and inner * sizes[axis - 1] <= limit:
            axis -= 1
            inner *= sizes[axis]
        if axis == 0:
            yield tuple(slice(size) for size in sizes), self
            return
        step = max(1, limit // inner)
        for outer in np.ndindex(*sizes[: axis - 1]):
            for start in range(0, sizes[axis - 1], step):
                place = (
                    *(slice(i, i + 1) for i in outer),
                    slice(start, min(start + step, sizes[axis - 1])),
                    *(slice(size) for size in sizes[axis:]),
                )
                yield place, Region(self.shape, tuple(a[cut] for a, cut in zip(self.axes, place, strict=True)))

    def flat(self) -> Words:
        """Return the row-major indices of the elements, modulo `PERIOD`, in the part's shape.

        They are reduced axis by axis, so that they do not overflow for tensors of any size.
        """
        total = np.zeros((), np.int64)
        stride = 1
        for place in reversed(range(len(self.shape))):
            axis = self.axes[place]
            coordinate = np.arange(axis.start, axis.stop, axis.step, dtype=np.int64) % PERIOD
            offset = coordinate * (stride % PERIOD) % PERIOD
            total = offset.reshape(-1, *([1] * (len(self.shape) - 1 - place))) + total
            stride *= self.shape[place]
        return np.asarray(total % PERIOD, np.uint32)


def _is_slice(given: object) -> bool:
    """Whether `given` is a slice of ints, whose step is positive."""
    if not isinstance(given, slice):
        return False
    parts = [to_int(part) for part in (given.start, given.stop, given.step) if part is not None]
    return None not in parts and (given.step is None or given.step >= 1)
