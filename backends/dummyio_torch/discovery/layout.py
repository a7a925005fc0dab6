"""What is thought of a module's inputs so far: their nests, dtypes and axes. A search changes one thought at a time.

An axis is a variable; a variable has a size. Sizes that nothing has asked for yet are distinct and unusual, so that a size
that shows up inside the module tells whose it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, Literal

import torch

from dummyio_torch.calling.transformers_cache import build_cache

__all__ = ["Branch", "InputLayout", "Leaf", "MissingItem", "Tree"]

Kind = Literal["dict", "list", "tuple", "cache"]

_PRIMES = (5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109)
_EDGES = (64, 96, 160, 192, 224, 288, 320, 352, 416, 448)


class MissingItem(Exception):  # noqa: N818 - a message to the search, not an error
    """The module asks a container for an item that is not there."""

    def __init__(self, path: str, key: str) -> None:
        super().__init__(f"{path}.{key}")
        self.path, self.key = path, key


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


Tree = Leaf | Branch


class _OpenDict(dict[str, Any]):
    """A dict that says which key it was asked for."""

    path = ""

    def __missing__(self, key: object) -> Any:
        if isinstance(key, str):
            raise MissingItem(self.path, key)
        raise KeyError(key)


class _OpenList(list[Any]):
    """A list that says that it was too short."""

    path = ""

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, int) and index >= len(self):
            raise MissingItem(self.path, str(len(self)))
        return super().__getitem__(index)


@dataclass(frozen=True)
class InputLayout:
    """All inputs, as far as they are thought of."""

    trees: tuple[tuple[str, Tree], ...] = ()
    sizes: Mapping[int, int] = field(default_factory=dict[int, int])
    """Variable → size."""
    fixed: frozenset[int] = frozenset()
    """Variables whose size a layer has asked for."""
    batches: frozenset[int] = frozenset()
    """Variables that stand for a batch."""
    taken: frozenset[int] = frozenset()
    """Sizes that occur in the module's own weights: no free variable gets one."""
    named: tuple[tuple[str, int], ...] = ()
    """Names that the caller gives to variables."""

    @property
    def leaves(self) -> dict[str, Leaf]:
        """All tensors, by path."""
        return {leaf.path: leaf for leaf in chain.from_iterable(_leaves(tree) for _, tree in self.trees)}

    def shape(self, leaf: Leaf) -> tuple[int, ...]:
        """Return a tensor's sizes."""
        return tuple(self.sizes[axis] for axis in leaf.axes)

    @property
    def key(self) -> object:
        """What tells this layout from others."""
        return tuple((leaf.path, leaf.dtype, self.shape(leaf)) for leaf in self.leaves.values())

    def build(self, tensors: Mapping[str, Any], *, strict: bool = False) -> dict[str, Any]:
        """Return the arguments, with these tensors as leaves; containers that complain of what they lack unless `strict`."""
        return {name: _build(tree, name, tensors, strict) for name, tree in self.trees}

    # Changes: each returns another layout, or None where it contradicts what is fixed.

    def with_size(self, variable: int, size: int, *, fix: bool = True) -> InputLayout | None:
        """Return it with another size of an axis."""
        if variable in self.fixed and self.sizes[variable] != size:
            return None
        fixed = self.fixed | {variable} if fix else self.fixed
        return replace(self, sizes={**self.sizes, variable: size}, fixed=fixed)

    def with_sizes(self, variables: tuple[int, ...], size: int) -> InputLayout | None:
        """Return it with one size for several axes."""
        found: InputLayout | None = self
        for variable in variables:
            found = found.with_size(variable, size) if found is not None else None
        return found

    def with_equal(self, one: int, other: int) -> InputLayout | None:
        """Return it with two axes made one; the one that is fixed, or a batch, stays."""
        if one == other or (one in self.fixed and other in self.fixed):
            return None
        if other in self.fixed or (other in self.batches and one not in self.fixed):
            one, other = other, one
        return self.mapped(lambda leaf: replace(leaf, axes=tuple(one if a == other else a for a in leaf.axes)))

    def with_dtype(self, path: str, dtype: torch.dtype) -> InputLayout | None:
        """Return it with another dtype of a tensor."""
        if self.leaves[path].dtype == dtype:
            return None
        return self.mapped(lambda leaf: replace(leaf, dtype=dtype) if leaf.path == path else leaf)

    def with_rank(self, path: str, rank: int) -> InputLayout | None:
        """Return it with more or fewer axes of a tensor: the first stays first, and a fixed last stays last."""
        leaf = self.leaves[path]
        if not 0 <= rank <= 6 or rank == len(leaf.axes):
            return None
        layout, axes = self, list(leaf.axes)
        while len(axes) > rank:
            axes.pop(1 if len(axes) > 2 and axes[-1] in self.fixed else -1)
        if rank >= 4:
            axes = axes[:2]
        while len(axes) < rank:
            layout, axis = layout.new_axis(edge=rank >= 4 and len(axes) >= 2)
            axes.insert(len(axes) - 1 if len(axes) > 1 and axes[-1] in self.fixed and rank < 4 else len(axes), axis)
        return layout.mapped(lambda other: replace(other, axes=tuple(axes)) if other.path == path else other)

    def with_axes(self, path: str, axes: tuple[int, ...]) -> InputLayout:
        """Return it with these variables for a tensor's axes."""
        return self.mapped(lambda leaf: replace(leaf, axes=axes) if leaf.path == path else leaf)

    def with_tree(self, path: str, tree: Tree) -> InputLayout:
        """Return it with a tree in the place of another."""
        return replace(self, trees=tuple((name, _put(old, name, path, tree)) for name, old in self.trees))

    def with_item(self, path: str, key: str, dtype: torch.dtype, rank: int) -> InputLayout:
        """Return it with one tensor more in a container."""
        layout, axes = self, self.batch_axis()
        while len(axes) < rank:
            layout, axis = layout.new_axis(edge=rank >= 4 and len(axes) >= 2)
            axes = (*axes, axis)
        branch = next(found for name, tree in self.trees if (found := _find(tree, name, path)) is not None)
        assert isinstance(branch, Branch)
        items = (*branch.items, (key, Leaf(f"{path}.{key}", dtype, axes)))
        return layout.with_tree(path, Branch(branch.kind, items))

    def batch_axis(self) -> tuple[int, ...]:
        """Return the batch that inputs share, where there is one."""
        return tuple(sorted(self.batches)[:1])

    def new_axis(self, *, edge: bool = False, size: int | None = None) -> tuple[InputLayout, int]:
        """Return it with one variable more; an `edge` is one that layers can halve many times."""
        used = {*self.sizes.values(), *self.taken}
        unusual = chain(_EDGES if edge else (), _PRIMES, range(111, 10_000_000, 2))
        chosen = size if size is not None else next(s for s in unusual if s not in used)
        variable = max(self.sizes, default=-1) + 1
        return replace(self, sizes={**self.sizes, variable: chosen}), variable

    def mapped(self, change: Any) -> InputLayout:
        """Return it with a function applied to every tensor."""
        return replace(self, trees=tuple((name, _map(tree, change)) for name, tree in self.trees))


def _leaves(tree: Tree) -> Iterator[Leaf]:
    if isinstance(tree, Leaf):
        yield tree
    else:
        for _, item in tree.items:
            yield from _leaves(item)


def _map(tree: Tree, change: Any) -> Tree:
    if isinstance(tree, Leaf):
        found: Leaf = change(tree)
        return found
    return Branch(tree.kind, tuple((key, _map(item, change)) for key, item in tree.items))


def _find(tree: Tree, at: str, path: str) -> Tree | None:
    if at == path:
        return tree
    if isinstance(tree, Branch):
        for key, item in tree.items:
            if path == f"{at}.{key}" or path.startswith(f"{at}.{key}."):
                return _find(item, f"{at}.{key}", path)
    return None


def _put(tree: Tree, at: str, path: str, new: Tree) -> Tree:
    if at == path:
        return new
    if isinstance(tree, Leaf):
        return tree
    return Branch(tree.kind, tuple((key, _put(item, f"{at}.{key}", path, new)) for key, item in tree.items))


def _build(tree: Tree, path: str, tensors: Mapping[str, Any], strict: bool) -> Any:
    if isinstance(tree, Leaf):
        return tensors[tree.path]
    items = {key: _build(item, f"{path}.{key}", tensors, strict) for key, item in tree.items}
    if tree.kind == "tuple":
        return tuple(items.values())
    if tree.kind == "cache":
        return build_cache(list(items.values()))
    if strict:
        return items if tree.kind == "dict" else list(items.values())
    found: Any = _OpenDict(items) if tree.kind == "dict" else _OpenList(items.values())
    found.path = path
    return found
