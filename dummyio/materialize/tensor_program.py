"""One tensor's rule, compiled for one shape: which words it draws, and how they become its elements."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from dummyio.materialize.elementwise_rules import Integers, Sampler, make_sampler
from dummyio.materialize.index_region import Region
from dummyio.materialize.positional_rules import Overlay, PositionalFill, SpecView, make_overlay, make_positional_fill
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import get_mask_path, get_padding_value
from dummyio.typing import Array

__all__ = ["Program", "compile_tensor"]


@dataclass(frozen=True, slots=True)
class Program:
    """A rule for one shape.

    Words are drawn at the elements (`make_sampler`) or at the rows (`make_positional_fill`); exactly one of the two is there.
    """

    path: str
    shape: tuple[int, ...]
    spec: TensorSpec
    sampler: Sampler | None
    structure: PositionalFill | None
    overlay: Overlay | None
    mask: str | None

    recipe: Sampler | PositionalFill = field(init=False)
    """The one of sampler and structure that is there."""
    lattice: tuple[int, ...] = field(init=False)
    """The shape at which words are drawn."""
    draw: Integers | None = field(init=False)
    """The whole numbers to draw, where the recipe wants these and not words."""
    pad: Array = field(init=False, repr=False, compare=False)
    """What a mask's elements are where it masks; of the dtype, as comparing with a plain number takes twice as long."""

    def __post_init__(self) -> None:
        """Derive, once, what small tensors ask for all the time."""
        recipe = self.sampler or self.structure
        assert recipe is not None
        object.__setattr__(self, "recipe", recipe)
        object.__setattr__(self, "lattice", self.shape if self.sampler is not None else self.shape[:-1])
        object.__setattr__(self, "draw", recipe.draw)
        object.__setattr__(self, "pad", np.full((), get_padding_value(self.spec.values), self.spec.dtype.numpy))

    @property
    def drawn(self) -> int:
        """How many words a sample takes."""
        return self.recipe.words * prod(self.lattice)

    def finish(self, drawn: Sequence[Array], region: Region, around: SpecView, samples: int) -> Array:
        r"""Return the elements of a region, of shape (samples, \*region), from what was drawn for it."""
        if self.sampler is not None:
            values = self.sampler.values(drawn)
            if not drawn:
                values = np.full((samples, *region.sizes), values[0], values.dtype)
        else:
            assert self.structure is not None
            values = self.structure.build(drawn, region, around)
            if values.shape[0] != samples:
                values = np.repeat(values, samples, axis=0)
        if self.overlay is not None:
            self.overlay(values, region, around)
        return values


def compile_tensor(path: str, spec: TensorSpec, shape: tuple[int, ...]) -> Program:
    """Return the program of one tensor."""
    return Program(
        path=path,
        shape=shape,
        spec=spec,
        sampler=make_sampler(spec.values, spec.dtype),
        structure=make_positional_fill(spec.values, spec.dtype, shape),
        overlay=make_overlay(spec.values, spec.dtype),
        mask=get_mask_path(spec.values),
    )


def ordered(programs: Sequence[Program]) -> list[Program]:
    """Return the programs with every mask before what follows it."""
    return sorted(programs, key=lambda program: program.mask is not None)
