"""The axes of a graph's inputs and outputs as sizes: which texts are one dim, and which are expressions of others.

A graph names an axis by any text, or not at all. A text that can be read as an expression of other axes becomes one
(``past_sequence_length + sequence_length``); any other text becomes a dim whose name is an identifier.
"""

import re
import unicodedata
from collections.abc import Mapping
from typing import cast

from dummyio.errors import DimError
from dummyio.sources.axis_names import guess_size, guess_size_by_place, make_unique, name_unnamed_axis, to_identifier
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size
from dummyio.typing import Axes

_WORD = re.compile(r"[^\W\d]\w*")


class DimTable:
    """The dims of one graph by the texts that name them.

    Parameters
    ----------
    inputs
        Input → axes; later shapes may refer to the dims that they name.
    """

    def __init__(self, inputs: Mapping[str, Axes]) -> None:
        """Define the names first, so that expressions can refer to them."""
        self._sizes: dict[str, Size] = {}
        self._unknown: set[str] = set()
        self._used: set[str] = set()
        expressions = []
        for axes in inputs.values():
            for place, text in enumerate(axes):
                if isinstance(text, str) and (text.isidentifier() or not self._names_in(text)):
                    self._define(text, place, len(axes))
                elif isinstance(text, str):
                    expressions.append((text, place, len(axes)))
        for text, place, rank in expressions:
            self._define_expression(text, place, rank)

    def shape(self, owner: str, axes: Axes) -> tuple[Size, ...]:
        """Return an input's shape; each axis without a name is a dim of its own."""
        shape: list[Size] = []
        for place, axis in enumerate(axes):
            text = _axis_text(owner, axes, place)
            if not isinstance(axis, int) and text not in self._sizes:
                self._sizes[text] = Dim(self._new_name(text), guess_size_by_place(place, len(axes)))
            shape.append(axis if isinstance(axis, int) else self._sizes[text])
        return tuple(shape)

    def output(self, owner: str, axes: Axes, found: tuple[Size | None, ...]) -> tuple[Size, ...]:
        """Return an output's shape: the sizes that the graph declares, else those found, else dims of any size, 0 included."""
        shape: list[Size] = []
        for place, axis in enumerate(axes):
            text = _axis_text(owner, axes, place)
            size = axis if isinstance(axis, int) else self.known(text)
            if size is None and place < len(found):
                size = found[place]
            if size is None:
                size = self._sizes[text] = Dim(self._new_name(text), 1, min=0)
            shape.append(size)
        return tuple(shape)

    def known(self, text: str) -> Size | None:
        """Return the size that a text stands for if the inputs define all names in it."""
        if text not in self._sizes and text not in self._unknown:
            names = self._names_in(text)
            try:
                if not names or not all(name in self._sizes for name in names):
                    raise DimError(f"{text!r} has names that no input defines.")
                self._sizes[text] = self._parse(text)
            except DimError:  # a division by a size that is 0 here too
                self._unknown.add(text)
        return self._sizes.get(text)

    def replace(self, owner: str, axes: Axes, place: int, size: Size) -> None:
        """Let the text of an input's axis stand for another size from now on."""
        self._sizes[_axis_text(owner, axes, place)] = size

    def _define(self, text: str, place: int, rank: int) -> None:
        if text not in self._sizes:
            name = self._new_name(text)
            size = guess_size(name) or guess_size_by_place(place, rank)
            self._sizes[text] = Dim(name, size, min=0 if "past" in name.lower() else 1)

    def _define_expression(self, text: str, place: int, rank: int) -> None:
        """Define an expression of axes; ``2*half`` may introduce a name.

        A minus introduces none: ``batch-size`` is a name.
        """
        names = self._names_in(text)
        if "-" in text and not all(name in self._sizes for name in names):
            self._define(text, place, rank)
            return
        for name in names:
            self._define(name, place, rank)
        self._sizes[text] = self._parse(text)

    def _parse(self, text: str) -> Size:
        # A sum may stand for a name as well as a dim does.
        return parse_size(text, cast("Mapping[str, Dim]", self._sizes))

    def _names_in(self, text: str) -> list[str]:
        """Return the names in an expression; none if `text` cannot be read as an expression."""
        names = [unicodedata.normalize("NFKC", name) for name in _WORD.findall(text)]
        try:
            parse_size(text, {name: Dim(name, 1) for name in names})
        except DimError:
            return []
        return names

    def _new_name(self, text: str) -> str:
        return make_unique(to_identifier(text), self._used)


def _axis_text(owner: str, axes: Axes, place: int) -> str:
    """Return the text of an axis; one of its own if the graph has none."""
    return str(axes[place] or name_unnamed_axis(owner, place))
