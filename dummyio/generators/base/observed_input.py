"""The description of an input that a generator makes and does not describe: observed at several sets of sizes.

A generator as Optimum's users write it returns tensors. Their dtypes are taken as they are. An axis follows the sizes whose change
changes it: a sum, a product or a fraction of these, checked at one more set of sizes; an axis that follows none is static. The values
become a rule: a constant, positions, a padding mask, else uniform in the observed range.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import reduce
from math import isqrt, prod
from operator import mul
from typing import Any, Literal

import numpy as np

from dummyio.errors import OptionError
from dummyio.generators.base.dim_sizes import SizeWarning
from dummyio.generators.base.single_tensors import framework_of
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Constant, PaddingMask, Positions, Rule, Uniform
from dummyio.typing import Array

Shapes = tuple[tuple[int, ...], ...]
_PAIR = ("key", "value")
_QUADRUPLE = ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
_RANGES = ((0, 1), (-1, 1))
"""Ranges of floats that are taken as a whole if the values fill most of one."""


@dataclass(frozen=True)
class Trial:
    """One result of a generator: what it returned, and the sizes that it was made with."""

    value: Any
    sizes: Mapping[str, int]


@dataclass(frozen=True)
class _Tree:
    """The containers of a result, with the places of its tensors among all of them."""

    kind: str
    items: tuple[tuple[str, "_Tree | int"], ...]


def observe_input(
    name: str, run: Callable[[Mapping[str, int]], Trial], names: Sequence[str], define: Callable[[str, int], Dim]
) -> Node:
    """Return the description of an input by what a generator returns for it.

    Parameters
    ----------
    name
        The input's name.
    run
        Returns the result with some sizes changed; its `sizes` have all sizes by name.
    names
        The sizes that may be changed.
    define
        Returns the dim for a size by its name and its value.

    Raises
    ------
    OptionError
        if the generator returns something else than tensors and containers of these, other containers at other sizes, or an axis
        that is no sum, product or fraction of sizes.
    """
    first = run({})
    tree, arrays = _flatten(name, first.value)
    shapes = tuple(array.shape for array in arrays)
    trials = _Trials(name, run, first, shapes, tree)
    moved = trials.find_moved(names)
    seen = [arrays, *trials.arrays]
    both = run({each: _change(first.sizes[each]) for each in moved}) if len(moved) > 1 else None
    last = _check_tree(name, tree, both.value) if both is not None else None
    leaves: list[TensorSpec] = []
    for place, array in enumerate(arrays):
        axes: list[Size] = []
        for axis, size in enumerate(array.shape):
            curve = _Curve(size, first.sizes, {each: trials.shape(each)[place][axis] for each in moved})
            total = None if last is None or both is None else (both.sizes, last[place].shape[axis])
            found = curve.fit(total, define)
            if found is None:
                text = ", ".join(f"{value} at {each}={trials.sizes(each)[each]}" for each, value in curve.moved.items())
                raise OptionError(
                    f"axis {axis} of {name} is {size}, and {text}: an axis must be a sum, a product or a fraction of sizes. "
                    f"Describe the input with a method describe_{name}."
                )
            axes.append(found)
        rule = observe_rule([each[place] for each in seen])
        leaves.append(TensorSpec(name, axes, DType.of(array.dtype), rule))
    return leaves[0] if isinstance(tree, int) else _build_nest(tree, leaves)


class _Trials:
    """Runs with changed sizes: which sizes change a shape, and how."""

    def __init__(
        self, name: str, run: Callable[[Mapping[str, int]], Trial], first: Trial, shapes: Shapes, tree: "_Tree | int"
    ) -> None:
        self._name, self._run, self._first, self._shapes, self._tree = name, run, first, shapes, tree
        self._alone: dict[str, tuple[Shapes, Mapping[str, int]]] = {}
        self.arrays: list[list[Array]] = []

    def find_moved(self, names: Sequence[str]) -> list[str]:
        """Return the sizes that change a shape: a group that changes none is left, another is divided."""
        if not names:
            return []
        try:
            trial = self._run({name: _change(self._first.sizes[name]) for name in names})
        except SizeWarning:  # the model fixes one of these sizes
            if len(names) == 1:
                return []
            shapes = None
        else:
            arrays = _check_tree(self._name, self._tree, trial.value)
            shapes = tuple(array.shape for array in arrays)
            if shapes == self._shapes:
                return []
            if len(names) == 1:
                self._alone[names[0]] = shapes, trial.sizes
                self.arrays.append(arrays)
                return [*names]
        half = len(names) // 2
        return [*self.find_moved(names[:half]), *self.find_moved(names[half:])]

    def shape(self, name: str) -> Shapes:
        """Return the shapes with one size changed."""
        return self._alone[name][0]

    def sizes(self, name: str) -> Mapping[str, int]:
        """Return all sizes of the run with one of them changed."""
        return self._alone[name][1]


def _change(size: int) -> int:
    """Return another size: a multiple, so that what divides it still does."""
    return max(2 * size, 2)


class _Curve:
    """The sizes of one axis as a function of the sizes that a generator is made with."""

    def __init__(self, base: int, sizes: Mapping[str, int], found: Mapping[str, int]) -> None:
        self.base, self.sizes = base, sizes
        self.moved = {name: value for name, value in found.items() if value != base}

    def fit(self, total: tuple[Mapping[str, int], int] | None, define: Callable[[str, int], Dim]) -> Size | None:
        """Return the axis as an expression that holds at all sizes tried; None if there is none."""
        if not self.moved:
            return self.base if total is None or total[1] == self.base else None
        for form in (self._sum, self._product, self._fraction):
            make = form()
            if make is None:
                continue
            if total is not None and make({name: total[0][name] for name in self.moved}) != total[1]:
                continue
            dims: dict[str, Any] = {name: define(name, self.sizes[name]) for name in self.moved}
            size: Size = make(dims)
            return size
        return None

    def _sum(self) -> Callable[[Mapping[str, Any]], Any] | None:
        steps = {
            name: Fraction(value - self.base, _change(self.sizes[name]) - self.sizes[name])
            for name, value in self.moved.items()
        }
        if any(step.denominator != 1 for step in steps.values()):
            return None
        rest = self.base - sum(int(step) * self.sizes[name] for name, step in steps.items())

        def add(sizes: Mapping[str, Any]) -> Any:
            terms = [sizes[name] if step == 1 else sizes[name] * int(step) for name, step in steps.items()]
            total = terms[0]
            for term in terms[1:]:
                total = total + term
            return total + rest if rest else total

        return add

    def _product(self) -> Callable[[Mapping[str, Any]], Any] | None:
        factor = Fraction(self.base, prod(max(self.sizes[name], 1) for name in self.moved))
        if factor.denominator != 1 or factor == 0 or not self._is_proportional():
            return None
        return lambda sizes: reduce(mul, (sizes[name] for name in self.moved)) * int(factor)

    def _fraction(self) -> Callable[[Mapping[str, Any]], Any] | None:
        """An axis that is a part of a size, or of a product of sizes each of which is divided."""
        factor = Fraction(self.base, prod(max(self.sizes[name], 1) for name in self.moved))
        if factor == 0 or factor.numerator != 1 or not self._is_proportional():
            return None
        root = isqrt(factor.denominator)
        if len(self.moved) == 2 and root * root == factor.denominator:  # patches of an image
            return lambda sizes: reduce(mul, (sizes[name] // root for name in self.moved))
        return lambda sizes: reduce(mul, (sizes[name] for name in self.moved)) // factor.denominator

    def _is_proportional(self) -> bool:
        return all(
            value * self.sizes[name] == self.base * _change(self.sizes[name]) for name, value in self.moved.items()
        )


def _flatten(name: str, value: Any) -> tuple["_Tree | int", list[Array]]:
    arrays: list[Array] = []
    return _walk(name, name, value, arrays), arrays


def _walk(name: str, path: str, value: Any, arrays: list[Array]) -> "_Tree | int":
    if isinstance(value, Mapping):
        items = tuple((str(key), _walk(name, f"{path}.{key}", item, arrays)) for key, item in value.items())
        return _Tree("dict", items)
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        kept = [item for item in value if item is not None]
        if len(kept) == 1 < len(value) and value[0] is not None:  # what an encoder returned, with None for the rest
            return _Tree("record", (("last_hidden_state", _walk(name, path, value[0], arrays)),))
        if kept:
            items = tuple(
                (str(place), _walk(name, f"{path}.{place}", item, arrays)) for place, item in enumerate(value)
            )
            return _Tree(kind, items)
    try:
        array: Array = np.asarray(framework_of(value).to_numpy(value))
    except OptionError:
        text = "None" if value is None else f"an empty {type(value).__name__}" if value in ([], ()) else None
        raise OptionError(
            f"generate({name!r}) returned {text or f'a {type(value).__name__}'}{f' in {path}' if path != name else ''}: "
            "it must return a tensor, or lists, tuples and dicts of tensors."
        ) from None
    arrays.append(array)
    return len(arrays) - 1


def _check_tree(name: str, tree: "_Tree | int", value: Any) -> list[Array]:
    """Return the tensors of another result; raise `OptionError` if it has other containers, dtypes or ranks."""
    other, arrays = _flatten(name, value)
    if other != tree:
        raise OptionError(
            f"generate({name!r}) returned other containers at other sizes: their number and kind must not change."
        )
    return arrays


def _build_nest(tree: _Tree, leaves: Sequence[TensorSpec]) -> Nest:
    kind: Any = tree.kind
    items = [
        (name, leaves[item].replace(name=name) if isinstance(item, int) else _build_nest(item, leaves))
        for name, item in tree.items
    ]
    return Nest(kind, tuple(items))


def name_cache(node: Nest, kind: Literal["cache", "tuple"]) -> Nest:
    """Return a list of a tuple for each layer as a container of that kind, whose tensors have names: ``key``, ``value``."""
    layers = [(place, _name_layer(layer) if isinstance(layer, Nest) else layer) for place, layer in node.items]
    return Nest(kind, tuple(layers))


def _name_layer(layer: Nest) -> Nest:
    names = {2: _PAIR, 4: _QUADRUPLE}.get(len(layer)) if layer.kind in ("tuple", "list") else None
    if names is None:
        return layer
    items = (item for _, item in layer.items)
    renamed = [
        item.replace(name=name) if isinstance(item, TensorSpec) else item
        for name, item in zip(names, items, strict=True)
    ]
    return replace(layer, kind="tuple", items=tuple(zip(names, renamed, strict=True)))


def observe_rule(arrays: Iterable[Array]) -> Rule | None:
    """Return a rule for tensors of one input: a constant, positions, a padding mask, or uniform in the range of all values."""
    seen = [array for array in arrays if array.size]
    kind = DType.of(seen[0].dtype).kind if seen else "string"
    if kind not in ("float", "int", "uint", "bool"):
        return None
    low, high = min(float(array.min()) for array in seen), max(float(array.max()) for array in seen)
    whole = kind != "float"
    if low == high:
        return Constant(int(low) if whole else low)
    if whole and all(_counts(array) for array in seen):
        return Positions(start=int(low))
    side = _padded_side(seen) if (low, high) == (0, 1) else None
    if side is not None:
        return PaddingMask(side)
    if whole:
        return Uniform(int(low), int(high) + 1)
    for start, stop in _RANGES:
        if start <= low and high < stop and (high - low) > (stop - start) / 2:
            return Uniform(start, stop)
    return Uniform(low, float(np.nextafter(np.float64(high), np.inf)))


def _counts(array: Array) -> bool:
    """Whether each row is 0, 1, 2 ..., from the same number on."""
    if array.dtype.kind == "b" or array.ndim == 0 or array.shape[-1] < 2:
        return False
    return bool((array == np.arange(array.shape[-1], dtype=array.dtype) + array.flat[0]).all())


def _padded_side(arrays: Sequence[Array]) -> Any:
    """Return the side of the padding of masks of ones and zeros; None if the zeros lie on no one side."""
    for side, step in (("right", 1), ("left", -1)):
        if all(
            array.ndim > 1
            and array.shape[-1] > 2
            and bool((np.diff(array.astype(np.int8)[..., ::step]) <= 0).all())
            and bool((array[..., ::step][..., 0] == 1).all())
            for array in arrays
        ):
            return side
    return None
