"""One tensor's rule, compiled for one shape: which words it draws, and how they become its elements."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from dummyio.materialize.bounded_rules import make_bounded_fill
from dummyio.materialize.counter_rng import Key, random_words
from dummyio.materialize.elementwise_rules import Integers, Sampler, draw_integers, make_sampler
from dummyio.materialize.index_region import Region
from dummyio.materialize.positional_rules import Overlay, PositionalFill, SpecView, make_overlay, make_positional_fill
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Rule, Strings, get_mask_path, get_padding_value
from dummyio.typing import Array


@dataclass(frozen=True, slots=True)
class Program:
    """A rule for one shape: either `sampler` or `positional` is set."""

    path: str
    shape: tuple[int, ...]
    dtype: DType
    sampler: Sampler | None
    positional: PositionalFill | None
    overlay: Overlay | None
    mask: str | None
    """The path of the mask that the rule follows."""
    words: int
    """The number of words for each place of the lattice."""
    lattice: tuple[int, ...]
    """The shape in which words are drawn: that of the elements, or that of the rows."""
    draw: Integers | None
    """The integers to draw, if the rule takes these instead of words."""
    weight: int
    """The words of the longest text of an element; 1 for numbers."""
    padding: Array = field(repr=False, compare=False)
    """The value that a mask holds at masked positions; an array, as comparing with a Python number takes twice as long."""

    @property
    def drawn(self) -> int:
        """The number of words that a sample takes."""
        return self.words * prod(self.lattice)

    def finish(self, drawn: Sequence[Array], region: Region, around: SpecView, samples: int) -> Array:
        r"""Return the elements of a region, of shape (samples, \*region), from the words or integers drawn for it."""
        if self.sampler is not None:
            values = self.sampler.values(drawn)
            if not drawn:
                values = np.full((samples, *region.sizes), values[0], values.dtype)
        else:
            assert self.positional is not None
            values = self.positional.build(drawn, region, around)
            if values.shape[0] != samples:
                values = np.repeat(values, samples, axis=0)
        if self.overlay is not None:
            self.overlay(values, region, around)
        return values


def compile_tensor(path: str, dtype: DType, rule: Rule, shape: tuple[int, ...]) -> Program:
    """Return the program of one tensor, whose rule has numbers in place of expressions of dims."""
    sampler = make_sampler(rule, dtype)
    positional = None
    if sampler is None:
        positional = make_positional_fill(rule, dtype, shape) or make_bounded_fill(rule, dtype, shape)
    fill = sampler or positional
    assert fill is not None
    return Program(
        path=path,
        shape=shape,
        dtype=dtype,
        sampler=sampler,
        positional=positional,
        overlay=make_overlay(rule, dtype),
        mask=get_mask_path(rule),
        words=fill.words,
        lattice=shape if positional is None or positional.by_element else shape[:-1],
        draw=fill.draw,
        weight=max(rule.high - 1, 1) if isinstance(rule, Strings) else 1,
        padding=np.full((), get_padding_value(rule), dtype.numpy),
    )


def draw_words(program: Program, region: Region, key: Key) -> list[Array]:
    """Return the words, or integers, of a region's elements or rows, with an axis for the one sample."""
    if program.words == 0:
        return []
    positional = program.positional
    index = (region if positional is None or positional.by_element else region.rows()).flat()[None]
    drawn = [random_words(index, key, stream) for stream in range(program.words)]
    return drawn if program.draw is None else [draw_integers(word, program.draw) for word in drawn]
