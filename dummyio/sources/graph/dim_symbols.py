"""The axes of a graph's inputs and outputs as sizes: which names are one symbol, which are sums, what size each starts at.

A graph names an axis by any text, or not at all. A text that reads as an expression of other axes becomes one
(``past_sequence_length + sequence_length``); any other becomes a symbol, its name made an identifier.
"""

from __future__ import annotations

import keyword
import re
import unicodedata
from collections.abc import Mapping
from typing import cast

from dummyio.errors import DimError
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.typing import Axes

__all__ = ["Axes", "DimTable"]


_WORD = re.compile(r"[^\W\d]\w*")

_TAKEN = frozenset(
    "self spec source task framework device seed sample samples n start path index format force progress".split()  # noqa: SIM905
)
"""Keywords of the functions that take sizes by name."""

_MEANINGS: tuple[tuple[str, str], ...] = (
    (r"past", "past_sequence_length"),
    (r"batch|^(n|b|bs|bsz)$", "batch_size"),
    (r"choice", "num_choices"),
    (r"channel|^c$", "num_channels"),
    (r"height|image_?size|^h$", "height"),
    (r"width|^w$", "width"),
    (r"audio|waveform|(^|_)samples", "audio_sequence_length"),
    (r"num_frames", "num_frames"),
    (r"frames", "nb_max_frames"),
    (r"(^|_)mels?(_|$)|feature", "feature_size"),
    (r"seq|len|token|time|^[stl]$", "sequence_length"),
)
"""What a symbol's name contains → the symbol whose default size it has; the first that matches."""


class DimTable:
    """The table of one graph's symbols.

    Parameters
    ----------
    inputs
        Input → axes; what they name is known to all later shapes.
    """

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Name the axes that stand alone first, so that expressions can refer to them."""
        self._sizes: dict[str, Size] = {}
        self._unknown: set[str] = set()
        self._used: set[str] = set()
        later = []
        for axes in inputs.values():
            for axis, text in enumerate(axes):
                if isinstance(text, str) and (text.isidentifier() or not self._terms(text)):
                    self._define(text, axis, len(axes))
                elif isinstance(text, str):
                    later.append((text, axis, len(axes)))
        for text, axis, rank in later:
            self._read(text, axis, rank)

    def shape(self, owner: str, axes: Axes) -> tuple[Size, ...]:
        """Return an input's shape; axes without a name are symbols of their own."""
        return tuple(
            axis if isinstance(axis, int) else self._sized(_text(owner, axes, place), place, len(axes))
            for place, axis in enumerate(axes)
        )

    def output(self, owner: str, axes: Axes, found: tuple[Size | None, ...]) -> tuple[Size, ...]:
        """Return an output's shape: as the graph says it, else as was found; what neither knows is a symbol of its own."""
        shape: list[Size] = []
        for place, axis in enumerate(axes):
            known = axis if isinstance(axis, int) else self.known(_text(owner, axes, place))
            if known is None and place < len(found):
                known = found[place]
            shape.append(self._free(_text(owner, axes, place)) if known is None else known)
        return tuple(shape)

    def known(self, text: str) -> Size | None:
        """Return what a text means, if the inputs define all of it."""
        if text not in self._sizes and text not in self._unknown:
            names = self._terms(text)
            try:
                known = bool(names) and all(name in self._sizes for name in names)
                self._sizes |= {text: self._parsed(text)} if known else {}
            except DimError:  # a division by what is 0 here
                known = False
            self._unknown |= set() if known else {text}
        return self._sizes.get(text)

    def replace(self, owner: str, axes: Axes, place: int, size: Size) -> None:
        """Let what an axis of an input says be another size from now on, wherever it is said."""
        self._sizes[_text(owner, axes, place)] = size

    def _sized(self, text: str, axis: int, rank: int) -> Size:
        """Return a symbol; one that is not defined yet is of an axis without a name, so its place says its size."""
        if text not in self._sizes:
            self._sizes[text] = Dim(self._name(text), _default("", axis, rank))
        return self._sizes[text]

    def _free(self, text: str) -> Size:
        """Return a symbol that no input has: it can have any size, 0 too."""
        if text not in self._sizes:
            self._sizes[text] = Dim(self._name(text), 1, min=0)
        return self._sizes[text]

    def _define(self, text: str, axis: int, rank: int) -> None:
        if text not in self._sizes:
            name = self._name(text)
            self._sizes[text] = Dim(name, _default(name, axis, rank), min=0 if "past" in name.lower() else 1)

    def _read(self, text: str, axis: int, rank: int) -> None:
        """Define what an expression says. Its names must be axes somewhere; ``2*half`` may bring in a new one.

        A minus alone does not: ``batch-size`` is a name.
        """
        names = self._terms(text)
        if "-" in text and not all(name in self._sizes for name in names):
            self._define(text, axis, rank)
            return
        for name in names:
            self._define(name, axis, rank)
        self._sizes[text] = self._parsed(text)

    def _parsed(self, text: str) -> Size:
        # A sum may stand for a name as well as a symbol does.
        return parse_size(text, cast("Mapping[str, Dim]", self._sizes))

    def _terms(self, text: str) -> list[str]:
        """Return the names in an expression; none where `text` is no expression that can be read."""
        names = [unicodedata.normalize("NFKC", name) for name in _WORD.findall(text)]
        try:
            parse_size(text, {name: Dim(name, 1) for name in names})
        except DimError:
            return []
        return names

    def _name(self, text: str) -> str:
        """Make an identifier of any text, unlike all others."""
        plain = unicodedata.normalize("NFKC", text)
        name = re.sub(r"\W+", "_", plain)
        name = (name if plain.startswith("_") else name.strip("_")) or "dim"
        if not name.isidentifier():
            name = f"dim_{name}"
        if keyword.iskeyword(name) or name in _TAKEN:
            name += "_size"
        unique, count = name, 1
        while unique in self._used:
            count += 1
            unique = f"{name}_{count}"
        self._used.add(unique)
        return unique


def _text(owner: str, axes: Axes, place: int) -> str:
    """Return what an axis says; a name of its own where it says nothing."""
    return str(axes[place] or f"{owner}_dim_{place}")


def _default(name: str, axis: int, rank: int) -> int:
    """Return the default size of a symbol, by its name, else by the place where it stands."""
    known = DEFAULT_DUMMY_SHAPES.get(name)
    if known is not None:
        return known
    for pattern, meaning in _MEANINGS:
        if re.search(pattern, name.lower()):
            return DEFAULT_DUMMY_SHAPES[meaning]
    if axis == 0:
        return DEFAULT_DUMMY_SHAPES["batch_size"]
    if rank < 4:
        return DEFAULT_DUMMY_SHAPES["sequence_length"]
    return DEFAULT_DUMMY_SHAPES["num_channels" if axis == 1 else "height"]
