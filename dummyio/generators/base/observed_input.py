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
_ENOUGH = 16
"""Elements of a tensor that show a range."""
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

    `run` returns the result with some sizes changed, and all sizes by name; `names` are the sizes that may be changed; `define` makes the
    dim for a name and a size. Raises `OptionError` if the generator returns something else than tensors and containers of these, other
    containers at other sizes, or an axis that is neither a sum nor a product nor a fraction of sizes.
    """
    trials = _Trials(name, run)
    moved = trials.find_moved(names)
    last = trials.run_last(moved)
    leaves: list[TensorSpec] = []
    for place, array in enumerate(trials.arrays[0]):
        axes: list[Size] = []
        for axis, size in enumerate(array.shape):
            curve = _Curve(size, trials.first.sizes, {each: trials.get_size(each, place, axis) for each in moved})
            found = curve.fit(None if last is None else (last.sizes, last.shapes[place][axis]), define)
            if found is None:
                text = ", ".join(f"{value} at {each}={given}" for each, (given, value) in curve.moved.items())
                raise OptionError(
                    f"axis {axis} of {name} is {size}{f', and {text}' if text else ''}: an axis must be a sum, a product or a "
                    f"fraction of sizes. Describe the input with a method describe_{name}."
                )
            axes.append(found)
        rule = observe_rule([each[place] for each in trials.arrays])
        leaves.append(TensorSpec(name, axes, DType.of(array.dtype), rule))
    tree = trials.tree
    return leaves[0] if isinstance(tree, int) else _build_nest(tree, leaves)


@dataclass(frozen=True)
class _Shapes:
    """The shapes of one run, and all sizes that it was made with."""

    shapes: Shapes
    sizes: Mapping[str, int]


class _Trials:
    """Runs with changed sizes: which sizes change a shape, and how."""

    def __init__(self, name: str, run: Callable[[Mapping[str, int]], Trial]) -> None:
        self._name, self._run = name, run
        trial = run({})
        self.tree, arrays = _flatten(name, trial.value)
        self.arrays = [arrays]
        self.first = _Shapes(_list_shapes(arrays), trial.sizes)
        self._alone: dict[str, _Shapes] = {}

    def find_moved(self, names: Sequence[str]) -> list[str]:
        """Return the sizes that change a shape: a group that changes none is left, another is divided."""
        if not names:
            return []
        try:
            trial = self._try({name: 2 * self.first.sizes[name] or 2 for name in names})
        except SizeWarning:  # the model fixes one of these sizes
            if len(names) == 1:
                return []
            trial = None
        except Exception:  # noqa: BLE001 - code of the user's, which may refuse one of these sizes
            trial = None if len(names) > 1 else self._try_others(names[0])
        if trial is not None and trial.shapes == self.first.shapes:
            return []
        if trial is not None and len(names) == 1:
            self._alone[names[0]] = trial
            return [*names]
        half = len(names) // 2
        return [*self.find_moved(names[:half]), *self.find_moved(names[half:])]

    def _try_others(self, name: str) -> _Shapes:
        """Return a run with another size than twice the usual one; raise the error of the last if the generator takes none."""
        size = self.first.sizes[name]
        return self._try_first([{name: other} for other in (size // 2, size + 1, size - 1) if other not in (0, size)])

    def _try_first(self, changes: Sequence[Mapping[str, int]]) -> _Shapes:
        for changed in changes[:-1]:
            try:
                return self._try(changed)
            except Exception:  # noqa: BLE001, S112 - code of the user's, which may refuse a size
                continue
        return self._try(changes[-1])

    def run_last(self, moved: Sequence[str]) -> _Shapes | None:
        """Return a run with all sizes changed that change a shape, to no multiple of the usual ones if the generator takes that."""
        if not moved:
            return None
        changes = [{name: change(self.first.sizes[name]) for name in moved} for change in _LAST]
        return self._try_first(changes)

    def _try(self, changed: Mapping[str, int]) -> _Shapes:
        trial = self._run(changed)
        arrays = _check_tree(self._name, self.tree, trial.value)
        self.arrays.append(arrays)
        return _Shapes(_list_shapes(arrays), trial.sizes)

    def get_size(self, name: str, place: int, axis: int) -> tuple[int, int]:
        """Return a changed size, and that of an axis of one tensor with it."""
        trial = self._alone[name]
        return trial.sizes[name], trial.shapes[place][axis]


_LAST: tuple[Callable[[int], int], ...] = (
    lambda size: 3 * size + 1,
    lambda size: 3 * size,
    lambda size: max(size // 2, 1),
    lambda size: size + 1,
)


def _list_shapes(arrays: Iterable[Array]) -> Shapes:
    return tuple(array.shape for array in arrays)


class _Curve:
    """The sizes of one axis as a function of the sizes that a generator is made with."""

    def __init__(self, base: int, sizes: Mapping[str, int], found: Mapping[str, tuple[int, int]]) -> None:
        self.base, self.sizes = base, sizes
        self.moved = {name: pair for name, pair in found.items() if pair[1] != base}

    def fit(self, last: tuple[Mapping[str, int], int] | None, define: Callable[[str, int], Dim]) -> Size | None:
        """Return the axis as an expression that holds at all sizes tried; None if there is none."""
        if not self.moved:
            return self.base if last is None or last[1] == self.base else None
        for form in (self._sum, self._product, self._fraction, self._rounded):
            make = form()
            if make is None or last is None or make({name: last[0][name] for name in self.moved}) != last[1]:
                continue
            dims: dict[str, Any] = {name: define(name, self.sizes[name]) for name in self.moved}
            size: Size = make(dims)
            return size
        return None

    def _sum(self) -> Callable[[Mapping[str, Any]], Any] | None:
        steps = {
            name: Fraction(value - self.base, given - self.sizes[name]) for name, (given, value) in self.moved.items()
        }
        if any(step.denominator != 1 for step in steps.values()):
            return None
        rest = self.base - sum(int(step) * self.sizes[name] for name, step in steps.items())

        def add(sizes: Mapping[str, Any]) -> Any:
            first, *others = [sizes[name] if step == 1 else sizes[name] * int(step) for name, step in steps.items()]
            for term in others:
                first = first + term
            return first + rest if rest else first

        return add

    def _factor(self) -> Fraction:
        """Return the factor between the product of the sizes and the axis; 0 if it does not grow as they do."""
        proportional = all(value * self.sizes[name] == self.base * given for name, (given, value) in self.moved.items())
        return (
            Fraction(self.base, prod(max(self.sizes[name], 1) for name in self.moved)) if proportional else Fraction(0)
        )

    def _product(self) -> Callable[[Mapping[str, Any]], Any] | None:
        factor = self._factor()
        if factor.denominator != 1 or factor == 0:
            return None
        return lambda sizes: reduce(mul, (sizes[name] for name in self.moved)) * int(factor)

    def _fraction(self) -> Callable[[Mapping[str, Any]], Any] | None:
        """An axis that is a part of a size, or of a product of sizes, each of which is divided if there are two."""
        factor = self._factor()
        if factor.numerator != 1 or factor.denominator == 1:
            return None
        root = isqrt(factor.denominator)
        if len(self.moved) == 2 and root * root == factor.denominator:  # patches of an image
            return lambda sizes: reduce(mul, (sizes[name] // root for name in self.moved))
        return lambda sizes: reduce(mul, (sizes[name] for name in self.moved)) // factor.denominator

    def _rounded(self) -> Callable[[Mapping[str, Any]], Any] | None:
        """An axis that is a part of one size, rounded up."""
        factor = self._factor()
        if factor.numerator != 1 or factor.denominator == 1 or len(self.moved) != 1:
            return None
        step, name = factor.denominator, next(iter(self.moved))
        return lambda sizes: (sizes[name] + (step - 1)) // step


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
            f"generate({name!r}) returned {text or f'a value of type {type(value).__name__}'}{f' in {path}' if path != name else ''}: "
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
    """Return a rule for tensors of one input: a constant, positions, a padding mask, or uniform in their range.

    The first tensor has the usual sizes. Its range counts alone, for a range may depend on sizes; that of all if it has few elements.
    """
    seen = [array for array in arrays if array.size]
    kind = DType.of(seen[0].dtype).kind if seen else "string"
    if kind not in ("float", "int", "uint", "bool"):
        return None
    ranged = seen[:1] if seen[0].size >= _ENOUGH else seen
    low, high = min(array.min().item() for array in ranged), max(array.max().item() for array in ranged)
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
