"""The first layout of a module's arguments: from their names, their annotations, and the caller's shapes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import nn

from dummyio.sources.axis_names import IMAGE_RANK
from dummyio.sources.input_names import get_model_part
from dummyio_torch.calling.meta_copy import iterate_weights
from dummyio_torch.description.signature_arguments import Argument
from dummyio_torch.discovery.input_roles import Guess, guess_layout, to_torch_dtype
from dummyio_torch.discovery.layout import BATCH, Branch, InputLayout, Leaf, Tree


@dataclass(frozen=True)
class LayoutStart:
    """Makes the first layout of arguments."""

    floating: torch.dtype
    """The dtype of floats."""
    wanted: Mapping[str, Any]
    """The sizes that the caller gives."""
    shapes: Mapping[str, Any]
    """Input → the sizes and names of its axes that the caller gives."""
    documented: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """Input → the words of its shape in the docstring."""

    @classmethod
    def of(cls, floating: torch.dtype, arguments: Sequence[Argument], **given: Mapping[str, Any]) -> LayoutStart:
        """Return the maker of first layouts of a module's arguments."""
        documented = {each.name: each.shape for each in arguments if each.shape is not None}
        return cls(floating, given.get("wanted", {}), given.get("shapes", {}), documented)

    def build(self, module: nn.Module, arguments: Sequence[Argument]) -> InputLayout:
        """Return the first layout of some arguments of a module."""
        taken = frozenset(size for tensor in iterate_weights(module) for size in tensor.shape)
        layout, _ = InputLayout(taken=taken).new_axis(
            size=next((size for size in (3, 5, 7) if size not in taken), None)
        )
        layout = replace(layout, batches=frozenset({BATCH}))
        for argument in arguments:
            layout = self.add(layout, argument)
        return layout

    def add(self, layout: InputLayout, argument: Argument) -> InputLayout:
        """Return a layout with one more argument."""
        layout, tree = self._tree(layout, argument, argument.name)
        return replace(layout, trees=(*layout.trees, (argument.name, tree)))

    def _tree(self, layout: InputLayout, argument: Argument, at: str) -> tuple[InputLayout, Tree]:
        """Return the first layout of an argument, or of an item of one, at a path."""
        tree: Tree
        if argument.form in _CONTAINERS:
            items: list[tuple[str, Tree]] = []
            sides: tuple[int, ...] = ()
            for key in argument.keys:
                path = f"{at}.{key}"
                if argument.item is not None:
                    layout, tree = self._tree(layout, argument.item, path)
                    items.append((key, tree))
                    continue
                guess = guess_layout(argument.name if key.isdigit() else key, argument.text)
                is_image = argument.form == "list" and guess.axes == _IMAGES
                if is_image:
                    guess = Guess(guess.number, guess.axes[1:])  # images, one after the other
                layout, leaf = self._leaf(layout, path, guess)
                if is_image and path not in self.shapes:
                    sides = sides or leaf.axes
                    leaf = replace(leaf, axes=sides)
                items.append((key, leaf))
            tree = Branch(_CONTAINERS[argument.form], tuple(items))
        else:
            guess = guess_layout(argument.name, argument.text)
            if layout.assigns_nodes(argument.name):
                guess = Guess("int", "b")
            layout, leaf = self._leaf(layout, argument.name, guess)
            if argument.shape is not None and argument.name not in self.shapes:
                layout, axes = self._documented_axes(layout, argument.shape)
                is_image = len(axes) >= IMAGE_RANK  # a mask of an image is drawn like one
                leaf = replace(leaf, axes=axes, dtype=self.floating if is_image else leaf.dtype)
            tree = leaf
        return layout, tree

    def _documented_axes(self, layout: InputLayout, words: tuple[str, ...]) -> tuple[InputLayout, tuple[int, ...]]:
        """Return the axes of a documented shape; a word that another input has too is the same axis, a number is a size."""
        known = {
            word: axis
            for name, shape in self.documented.items()
            if (leaf := layout.leaves.get(name)) is not None and len(leaf.axes) == len(shape)
            for word, axis in zip(shape, leaf.axes, strict=True)
            if not word.isdigit()
        }
        axes: list[int] = []
        for place, word in enumerate(words):
            if word.isdigit():
                layout, axis = _given_axis(layout, int(word))
            elif place == 0 and _BATCH.match(word):
                axis = BATCH
            elif word in known and known[word] not in axes:
                axis = known[word]
            else:
                layout, axis = layout.new_axis(edge=len(words) >= IMAGE_RANK and place >= 2)
            axes.append(axis)
        return layout, tuple(axes)

    def _leaf(self, layout: InputLayout, path: str, guess: Guess) -> tuple[InputLayout, Leaf]:
        axes: list[int] = []
        edges = iter(("height", "width"))
        for item in self.shapes.get(path, guess.axes):
            if path in self.shapes:
                layout, axis = _given_axis(layout, item)
            else:
                name = {"b": "batch_size", "s": "sequence_length", "n": "sequence_length"}.get(item, "")
                name = next(edges, "") if item == "e" else name
                layout, axis = _axis(layout, path, item, self.wanted.get(name))
            axes.append(axis)
        return layout, Leaf(path, to_torch_dtype(guess.number, self.floating), tuple(axes))


_IMAGES = "bfee"
_BATCH = re.compile(r"batch|bs?$|n$", re.IGNORECASE)
"""What authors call the batch."""
_CONTAINERS: Mapping[str, Literal["dict", "list", "tuple", "record"]] = {
    "dict": "dict",
    "list": "list",
    "tuple": "tuple",
    "record": "record",
}


def _axis(layout: InputLayout, path: str, letter: str, size: Any) -> tuple[InputLayout, int]:
    size = size if type(size) is int and size > 0 else None
    if letter == "b":
        return layout, BATCH
    if letter == "s":
        shared = _shared(layout, path)
        return (layout, shared) if shared is not None else layout.new_axis(size=size)
    if letter == "g":
        part = path.rpartition(".")[2].partition("edge_")[0]
        return _given_axis(layout, "num_edge_labels" if "label" in path else f"{part}num_edges")
    if letter == "2":
        layout, axis = layout.new_axis(size=2)
        return replace(layout, fixed=layout.fixed | {axis}), axis
    return layout.new_axis(edge=letter == "e", size=size)


def _shared(layout: InputLayout, path: str) -> int | None:
    """Return the sequence that another input of the same part of the model has."""
    for other, leaf in layout.leaves.items():
        if get_model_part(other) == get_model_part(path) and len(leaf.axes) >= 2 and leaf.axes[1] not in layout.fixed:
            sequence = len(leaf.axes) == 2 and not leaf.dtype.is_floating_point
            if sequence or len(leaf.axes) == 3:
                return leaf.axes[1]
    return None


def _given_axis(layout: InputLayout, size: int | str | None) -> tuple[InputLayout, int]:
    """Return the axis that the caller gives: a number, a name (the same axis for the same name), or None for any size."""
    if size is None:
        return layout.new_axis()
    if isinstance(size, int):
        layout, axis = layout.new_axis(size=size)
        return replace(layout, fixed=layout.fixed | {axis}), axis
    if size == "batch_size":
        return layout, BATCH
    known = dict(layout.named)
    if size in known:
        return layout, known[size]
    layout, axis = layout.new_axis(edge=size in {"height", "width"})
    return replace(layout, named=(*layout.named, (size, axis))), axis
