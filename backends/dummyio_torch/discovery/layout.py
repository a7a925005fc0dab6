"""The assumed layout of a module's inputs: their nests, dtypes and axes. A search changes one assumption at a time.

An axis is a variable; a variable has a size. Sizes that no layer has asked for yet are distinct and unusual, so that a size
inside the module shows the axis that it comes from.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from math import prod
from typing import Any, Literal

import torch

from dummyio.sources.axis_names import IMAGE_RANK
from dummyio.sources.input_names import has_target_name, is_edge_index
from dummyio.spec.tensor_spec import make_record
from dummyio_torch.calling.transformers_cache import build_cache

Kind = Literal["dict", "list", "tuple", "record", "cache", "none"]

BATCH = 0
"""The variable of the batch that inputs share until a run shows that they need not."""

_PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109)
_EDGES = (64, 96, 160, 192, 224, 288, 320, 352, 416, 448)


class MissingItem(Exception):  # noqa: N818 - a message to the search, not an error
    """The module asks a container for an item that is not there."""

    def __init__(self, path: str, key: str, *, may_lack: bool = False) -> None:
        super().__init__(f"{path}.{key}")
        self.path, self.key, self.may_lack = path, key, may_lack


@dataclass(frozen=True)
class Leaf:
    """One tensor: its dtype, and the variable of each axis."""

    path: str
    dtype: torch.dtype
    axes: tuple[int, ...]


@dataclass(frozen=True)
class Branch:
    """A container of trees, by key."""

    kind: Kind
    items: tuple[tuple[str, Tree], ...]
    absent: frozenset[str] = frozenset()
    """Keys of a dict that are not there, where the module asks whether they are."""


Tree = Leaf | Branch


class _OpenDict(dict[str, Any]):
    """A dict that raises `MissingItem` for a key that is not there, however it is asked for it; targets are not there."""

    path = ""
    absent: frozenset[str] = frozenset()

    def __missing__(self, key: object) -> Any:
        if isinstance(key, str):
            raise MissingItem(self.path, key)
        raise KeyError(key)

    def __contains__(self, key: object) -> bool:
        is_open = isinstance(key, str) and key not in self.absent and not has_target_name(key)
        if not super().__contains__(key) and is_open:
            raise MissingItem(self.path, str(key), may_lack=True)
        return super().__contains__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """Return an item, or the default if there is one."""
        return super().get(key, default) if default is not None or key not in self else self[key]

    def pop(self, key: str, *default: Any) -> Any:
        """Remove an item and return it."""
        return super().pop(key, *default) if default or key not in self else super().pop(key)


class _OpenList(list[Any]):
    """A list that raises `MissingItem` for an index behind its end."""

    path = ""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index >= len(self):
            raise MissingItem(self.path, str(len(self)))
        return super().__getitem__(index)


@dataclass(frozen=True)
class InputLayout:
    """The layout of all inputs."""

    trees: tuple[tuple[str, Tree], ...] = ()
    sizes: Mapping[int, int] = field(default_factory=dict[int, int])
    """Variable → size."""
    fixed: frozenset[int] = frozenset()
    """Variables whose size a layer has asked for."""
    guessed: frozenset[int] = frozenset()
    """Those of them whose size is a guess that worked: others may work too."""
    batches: frozenset[int] = frozenset()
    """Variables that stand for a batch."""
    taken: frozenset[int] = frozenset()
    """Sizes that occur in the module's own weights: no free variable gets one."""
    named: tuple[tuple[str, int], ...] = ()
    """Names that the caller gives to variables."""

    @cached_property
    def leaves(self) -> dict[str, Leaf]:
        """All tensors, by path."""
        return {leaf.path: leaf for leaf in chain.from_iterable(_leaves(tree) for _, tree in self.trees)}

    def shape(self, leaf: Leaf) -> tuple[int, ...]:
        """Return a tensor's sizes."""
        return tuple(self.sizes[axis] for axis in leaf.axes)

    @property
    def images(self) -> frozenset[str]:
        """The tensors that are images in a list, each with its own size and without a batch."""
        lists = [tree for _, tree in self.trees if isinstance(tree, Branch) and tree.kind == "list"]
        items = (item for tree in lists for _, item in tree.items if isinstance(item, Leaf))
        return frozenset(
            leaf.path for leaf in items if len(leaf.axes) == 3 and not self.batches.intersection(leaf.axes)
        )

    @property
    def is_graph(self) -> bool:
        """Whether an input joins nodes by edges."""
        return any(map(is_edge_index, self.leaves))

    def list_owners(self, axis: int) -> list[str]:
        """Return the tensors that have an axis."""
        return [path for path, leaf in self.leaves.items() if axis in leaf.axes]

    def find_free_axis(self, size: int) -> int | None:
        """Return the one axis of this size that nothing has fixed; None if there is none, or several."""
        alike = {axis for leaf in self.leaves.values() for axis in leaf.axes if self.sizes[axis] == size}
        return min(alike) if len(alike) == 1 and not alike & self.fixed and size not in self.taken else None

    def assigns_nodes(self, path: str) -> bool:
        """Whether an input has the number of the graph that each node is in."""
        return self.is_graph and re.search(r"(^|\.)batch(_index|_idx)?$", path) is not None

    @property
    def nbytes(self) -> int:
        """The bytes of all tensors."""
        return sum(prod(self.shape(leaf)) * leaf.dtype.itemsize for leaf in self.leaves.values())

    @property
    def key(self) -> object:
        """A value that differs between layouts."""
        tensors = tuple((leaf.path, leaf.dtype, self.shape(leaf)) for leaf in self.leaves.values())
        return tensors, tuple(chain.from_iterable(_list_absent(tree) for _, tree in self.trees))

    def build(self, tensors: Mapping[str, Any]) -> dict[str, Any]:
        """Return the arguments, with these tensors as leaves; containers raise `MissingItem` for an item that they lack."""
        return {name: _build(tree, name, tensors) for name, tree in self.trees}

    # Changes: each returns another layout, or None if it contradicts the sizes that are fixed.

    def with_sizes(self, variables: Iterable[int], size: int, *, fix: bool = True) -> InputLayout | None:
        """Return a layout with one size for some axes."""
        axes = frozenset(variables)
        changed = {axis for axis in axes if self.sizes[axis] != size}
        if changed & self.fixed - self.guessed:
            return None
        fixed = self.fixed | axes if fix else self.fixed - (changed & self.guessed)
        guessed = self.guessed - changed
        return replace(self, sizes={**self.sizes, **dict.fromkeys(axes, size)}, fixed=fixed, guessed=guessed)

    def with_guessed_sizes(self, variables: Iterable[int], size: int) -> InputLayout | None:
        """Return a layout with one size for some axes, which no layer has asked for."""
        axes = frozenset(variables)
        layout = self.with_sizes(axes, size)
        return layout and replace(layout, guessed=self.guessed | (axes - self.fixed))

    def with_equal(self, one: int, other: int) -> InputLayout | None:
        """Return a layout in which two axes are one; the one that is fixed, or a batch, stays."""
        if one == other or (one in self.fixed and other in self.fixed):
            return None
        if other in self.fixed or (other in self.batches and one not in self.fixed):
            one, other = other, one
        layout = self
        for path, leaf in self.leaves.items():
            layout = layout.with_axes(path, tuple(one if axis == other else axis for axis in leaf.axes))
        return layout

    def with_same_shape(self, path: str, other: str) -> InputLayout | None:
        """Return a layout in which a tensor has the axes of another of its rank, or of one that has more behind its own."""
        axes, own = self.leaves[path].axes, self.leaves[other].axes
        fits = len(axes) == len(own) or axes[: len(own)] == own
        return self.with_axes(other, axes) if fits and axes != own else None

    def with_own_axes(self) -> InputLayout:
        """Return a layout in which no image has one axis twice: the sides of a square have one size, and a name each."""
        layout = self
        for path, leaf in self.leaves.items():
            if not leaf.dtype.is_floating_point or len(leaf.axes) < IMAGE_RANK:
                continue
            axes: list[int] = []
            for axis in leaf.axes:
                if axis in axes:
                    layout, new = layout.new_axis(size=layout.sizes[axis])
                    layout = replace(layout, fixed=layout.fixed | {axis, new})
                    axes.append(new)
                else:
                    axes.append(axis)
            layout = layout.with_axes(path, tuple(axes))
        return layout

    def with_dtype(self, path: str, dtype: torch.dtype) -> InputLayout | None:
        """Return a layout with another dtype of a tensor."""
        leaf = self.leaves[path]
        return None if leaf.dtype == dtype else self.with_tree(path, replace(leaf, dtype=dtype))

    def with_rank(self, path: str, rank: int) -> InputLayout | None:
        """Return a layout with more or fewer axes of a tensor, and of those beside it in a list."""
        own = self.leaves[path].axes
        if not 0 <= rank <= 6 or rank == len(own):
            return None
        layout, changed = self, dict[tuple[int, ...], tuple[int, ...]]()
        for other in (path, *self.siblings(path)):
            axes = self.leaves[other].axes
            if axes not in changed:
                layout, changed[axes] = layout.change_rank(axes, rank)
            layout = layout.with_axes(other, changed[axes])
        return layout

    def change_rank(self, old: tuple[int, ...], rank: int) -> tuple[InputLayout, tuple[int, ...]]:
        """Return more or fewer axes, and the layout that has them: the first stays first, and a fixed last stays last."""
        layout, axes = self, list(old)
        while len(axes) > rank:
            axes.pop(1 if len(axes) > 2 and axes[-1] in self.fixed else -1)
        if rank >= 4:
            axes = axes[:2]
        while len(axes) < rank:
            layout, axis = layout.new_axis(edge=rank >= 4 and len(axes) >= 2)
            axes.insert(len(axes) - 1 if len(axes) > 1 and axes[-1] in self.fixed and rank < 4 else len(axes), axis)
        return layout, tuple(axes)

    def siblings(self, path: str) -> list[str]:
        """Return the paths of the tensors in the list that a tensor is in; the tensor's own if it is in none."""
        owner = path.partition(".")[0]
        tree = dict(self.trees)[owner]
        in_list = isinstance(tree, Branch) and tree.kind == "list"
        return [each for each in self.leaves if each.partition(".")[0] == owner] if in_list else [path]

    def with_items_alone(self, path: str) -> InputLayout | None:
        """Return a layout in which the items of a list are samples: alike, and without an axis of the batch."""
        items, own = self.siblings(path), self.leaves[path].axes
        if len(items) == 1 or own[:1] != (BATCH,):
            return None
        layout, axis = self.new_axis()
        for other in items:
            layout = layout.with_axes(other, (axis, *own[1:]))
        return layout

    def with_leading_axis(self, path: str) -> InputLayout:
        """Return a layout in which a tensor has a further axis before its batch: layers, or codebooks."""
        layout, axis = self.new_axis()
        return layout.with_axes(path, (axis, *self.leaves[path].axes))

    def with_single_row(self, path: str) -> InputLayout:
        """Return a layout in which a tensor has one row for the whole batch."""
        layout, axis = self.new_axis(size=1)
        layout = replace(layout, fixed=layout.fixed | {axis})
        return layout.with_axes(path, (axis, *self.leaves[path].axes[1:]))

    def with_axes(self, path: str, axes: tuple[int, ...]) -> InputLayout:
        """Return a layout with these variables for a tensor's axes."""
        return self.with_tree(path, replace(self.leaves[path], axes=axes))

    def with_known_axes(self, path: str, axes: Iterable[tuple[int | None, int | None]]) -> InputLayout:
        """Return a layout in which a tensor has these axes: each a variable, else a size that is fixed, else a free one."""
        layout, own = self, list[int]()
        for variable, size in axes:
            axis = variable
            if axis is None:
                layout, axis = layout.new_axis(size=size)
                layout = layout if size is None else replace(layout, fixed=layout.fixed | {axis})
            own.append(axis)
        return layout.with_axes(path, tuple(own))

    def with_tree(self, path: str, tree: Tree) -> InputLayout:
        """Return a layout with another tree at a path."""
        return self.with_change(path, lambda _: tree)

    def with_item(self, path: str, key: str, dtype: torch.dtype, rank: int) -> InputLayout:
        """Return a layout with one more tensor in a container: its first axis is the batch if inputs share one."""
        layout, axes = self, tuple(sorted(self.batches)[:1])
        while len(axes) < rank:
            layout, axis = layout.new_axis(edge=rank >= 4 and len(axes) >= 2)
            axes = (*axes, axis)
        leaf = Leaf(f"{path}.{key}", dtype, axes)

        def add(branch: Any) -> Tree:
            return replace(branch, items=(*branch.items, (key, leaf)))

        return layout.with_change(path, add)

    def with_absent(self, path: str, key: str) -> InputLayout:
        """Return a layout in which a dict lacks a key that the module asks for."""

        def add(branch: Any) -> Tree:
            return replace(branch, absent=branch.absent | {key})

        return self.with_change(path, add)

    def with_change(self, path: str, change: Callable[[Any], Tree]) -> InputLayout:
        """Return a layout with the result of a function in the place of the tree at a path."""
        return replace(self, trees=tuple((name, _put(old, name, path, change)) for name, old in self.trees))

    def new_axis(self, *, edge: bool = False, size: int | None = None) -> tuple[InputLayout, int]:
        """Return a layout with one more variable; an `edge` is one that layers can halve many times."""
        used = {*self.sizes.values(), *self.taken}
        unusual = chain(_EDGES if edge else (), _PRIMES, range(111, 10_000_000, 2))
        chosen = size if size is not None else next(s for s in unusual if s not in used)
        variable = max(self.sizes, default=-1) + 1
        return replace(self, sizes={**self.sizes, variable: chosen}), variable


def _leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        for _, item in tree.items:
            yield from _leaves(item)


def _list_absent(tree: Tree) -> Iterator[frozenset[str]]:
    if isinstance(tree, Branch):
        yield tree.absent
        for _, item in tree.items:
            yield from _list_absent(item)


def _put(tree: Tree, at: str, path: str, change: Callable[[Tree], Tree]) -> Tree:
    """Return a tree with a function applied at a path."""
    if at == path:
        return change(tree)
    if isinstance(tree, Leaf):
        return tree
    return replace(tree, items=tuple((key, _put(item, f"{at}.{key}", path, change)) for key, item in tree.items))


def _build(tree: Tree, path: str, tensors: Mapping[str, Any]) -> Any:
    if isinstance(tree, Leaf):
        return tensors[tree.path]
    items = {key: _build(item, f"{path}.{key}", tensors) for key, item in tree.items}
    if tree.kind == "none":
        return None
    if tree.kind == "tuple":
        return tuple(items.values())
    if tree.kind == "record":
        return make_record(tuple(items))(*items.values())
    if tree.kind == "cache":
        return build_cache(list(items.values()))
    if tree.kind == "list":
        found = _OpenList(items.values())
        found.path = path
        return found
    held = _OpenDict(items)
    held.path, held.absent = path, tree.absent
    return held
