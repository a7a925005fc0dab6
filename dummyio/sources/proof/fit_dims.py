"""The sizes that a dim can take, found by trying: one size, multiples of one, a smallest or a largest size, the size of another dim."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from math import lcm
from typing import Any

import msgspec

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.dims import Dim, find_dims, substitute_dims
from dummyio.spec.tensor_spec import TensorSpec, replace_dims
from dummyio.spec.values import PaddingMask

Takes = Callable[[InputSpec, Mapping[str, int]], bool | None]
"""Whether a module takes a spec's inputs at some sizes; None if that cannot be shown."""
_MOST_DISTANT = 8
"""Dims of other tensors with which one is compared."""
_STEPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)


def fit_dims(spec: InputSpec, refused: Mapping[str, int], takes: Takes) -> InputSpec | None:
    """Return the spec with its dims restricted so that it no longer has the refused sizes; None if nothing helps.

    Dims of several tensors that are only taken with equal sizes become one dim. Another dim that is refused alone gets a multiple or a
    bound, and one size if neither helps; so do the sides of a square. Where only some sizes together are refused, the first dim
    without which the others are taken gets one size, or all of them do.
    """
    base = spec.sizes()
    changed = [name for name, size in refused.items() if size != base[name]]
    faults = [name for name in changed if takes(spec, {**base, name: refused[name]}) is False]
    equal = _find_equal(spec, faults, takes)
    if equal:
        return _merge_dims(spec, equal)
    scaled = _scale_dim(spec, faults, takes)
    if scaled is not None:
        return scaled
    new: dict[str, Dim] = {}
    for name in faults:
        square = next((other for other in _list_partners(spec, name) if _are_equal(spec, name, other, takes)), None)
        if square is not None:
            new |= {each: Dim.static(each, base[each]) for each in (name, square)}
        elif name not in new:
            new[name] = _fit_dim(spec, name, refused[name], takes)
    if not faults:
        alone = [name for name in changed if takes(spec, {**refused, name: base[name]})]
        new = {name: Dim.static(name, base[name]) for name in alone[:1] or changed}
    try:
        return _keep_least(spec.with_dims(**new)) if new else None
    except DummyioError:
        return None


def _keep_least(spec: InputSpec) -> InputSpec:
    """Return the spec with masks that keep as much of each row as the module takes of a row alone."""

    def change(_path: str, leaf: TensorSpec) -> TensorSpec:
        size, rule = leaf.shape[-1] if leaf.shape else None, leaf.values
        if not (isinstance(size, Dim) and isinstance(rule, PaddingMask) and not size.fixed and size.min > rule.least):
            return leaf
        return leaf.replace(values=msgspec.structs.replace(rule, least=size.min))

    return map_leaves(spec, change)


def _find_equal(spec: InputSpec, faults: list[str], takes: Takes) -> list[str]:
    """Return dims of different tensors that are taken if all of them have another size, of those that are refused alone."""
    base = spec.sizes()
    for name in faults:
        dim = spec.dims[name]
        near = set(_list_partners(spec, name))
        others = [
            other for other in faults if other != name and other not in near and spec.dims[other].size == dim.size
        ]
        size = dim.size + dim.multiple_of
        for group in ([name, other] for other in (*others, *_list_distant(spec, name, dim.size, others))):
            if _are_equal(spec, group[0], group[1], takes):
                return group
        group = [name, *others]
        if len(group) > 2 and takes(spec, {**base, **dict.fromkeys(group, size)}):
            return group
    return []


def _list_distant(spec: InputSpec, name: str, size: int, known: Collection[str]) -> list[str]:
    """Return the dims of other tensors with a default size, at most a few, that are not `known`."""
    near = {other for names in list_dims_of_tensors(spec) if name in names for other in names}
    found = (other for other in spec.dims if other not in near and other not in known)
    return [other for other in found if spec.dims[other].size == size and not spec.dims[other].fixed][:_MOST_DISTANT]


def _scale_dim(spec: InputSpec, faults: list[str], takes: Takes) -> InputSpec | None:
    """Return the spec with a dim that is a multiple of one of another tensor as that multiple; None if there is none.

    A network with an image and a coarser map of it takes sides that are a multiple of those of the map.
    """
    base = spec.sizes()
    for name in faults:
        for factor in _STEPS:
            larger = _list_distant(spec, name, base[name] * factor, ())
            smaller = _list_distant(spec, name, base[name] // factor, ()) if base[name] % factor == 0 else []
            pairs = [*((other, name) for other in larger), *((name, other) for other in smaller)]
            for scaled, unit in pairs:
                if _is_multiple(spec, scaled, unit, factor, takes):
                    return _replace_by_multiple(spec, scaled, unit, factor)
    return None


def _is_multiple(spec: InputSpec, scaled: str, unit: str, factor: int, takes: Takes) -> bool:
    """Whether one dim can only be so many times another: each alone is refused at a size at which both are taken."""
    base, dim = spec.sizes(), spec.dims[unit]
    size = dim.size + dim.multiple_of
    if not (dim.takes(size) and spec.dims[scaled].takes(size * factor)):
        return False
    sides = ({**base, scaled: size * factor}, {**base, unit: size}, {**base, scaled: size * factor, unit: size})
    return [bool(takes(spec, each)) for each in sides] == [False, False, True]


def _replace_by_multiple(spec: InputSpec, scaled: str, unit: str, factor: int) -> InputSpec | None:
    """Return the spec with a multiple of a dim in the place of another dim."""
    new: Any = {scaled: spec.dims[unit] * factor}
    try:
        inputs = {name: replace_dims(node, spec.dims, new) for name, node in spec.items()}
        outputs = tuple(
            output
            if output.shape is None
            else replace(output, shape=tuple(substitute_dims(s, new) for s in output.shape))
            for output in spec.outputs
        )
        return InputSpec(inputs, task=spec.task, outputs=outputs, provenance=spec.provenance, proof=spec.proof)
    except DummyioError:
        return None


def _merge_dims(spec: InputSpec, names: list[str]) -> InputSpec | None:
    """Return the spec with one dim in the place of several, within the bounds of each."""
    dims = [spec.dims[name] for name in names]
    kept = next((dim for dim in dims if dim.name == "batch_size"), dims[0])
    most = min((dim.max for dim in dims if dim.max is not None), default=None)
    try:
        one = Dim(kept.name, kept.size, max(dim.min for dim in dims), most, lcm(*(dim.multiple_of for dim in dims)))
        return spec.with_dims(**dict.fromkeys(names, one))
    except DummyioError:
        return None


def _fit_dim(spec: InputSpec, name: str, refused: int, takes: Takes) -> Dim:
    """Return a dim with a multiple or a bound that excludes a refused size, and with which the sizes next to the default are taken."""
    dim, base = spec.dims[name], spec.sizes()

    def passes(size: int) -> bool:
        return dim.takes(size) and bool(takes(spec, {**base, name: size}))

    if passes(dim.size + dim.multiple_of) or passes(dim.size - dim.multiple_of):
        edge = _find_edge(dim, refused, passes)
        return replace(dim, min=edge) if refused < dim.size else replace(dim, max=edge)
    multiples = (dim.multiple_of * step for step in _STEPS)
    for multiple in (each for each in multiples if dim.size % each == 0 and refused % each):
        if passes(dim.size + multiple):
            return replace(dim, multiple_of=multiple, min=multiple if passes(multiple) else dim.size)
    return Dim.static(name, dim.size)


def list_dims_of_tensors(spec: InputSpec) -> list[set[str]]:
    """Return the names of the dims of each tensor."""
    return [{dim.name for size in leaf.shape for dim in find_dims(size)} for _, leaf in spec.leaves]


def _list_partners(spec: InputSpec, name: str) -> list[str]:
    """Return the dims with the same default size that stand in one tensor with a dim: the sides of a square."""
    near = {other for names in list_dims_of_tensors(spec) if name in names for other in names}
    return [other for other in near - {name} if spec.dims[other].size == spec.dims[name].size]


def _are_equal(spec: InputSpec, name: str, other: str, takes: Takes) -> bool:
    """Whether two dims can only have equal sizes: each alone is refused at a size at which both are taken."""
    base, dim = spec.sizes(), spec.dims[name]
    size = dim.size + dim.multiple_of
    sides = ({**base, name: size}, {**base, other: size}, {**base, name: size, other: size})
    return (
        dim.takes(size)
        and spec.dims[other].takes(size)
        and [bool(takes(spec, each)) for each in sides] == [False, False, True]
    )


def _find_edge(dim: Dim, bad: int, passes: Callable[[int], bool]) -> int:
    """Return the size farthest from the default, towards a refused one, that is taken."""
    good, step = dim.size, dim.multiple_of
    while abs(good - bad) > step:
        middle = (good + bad) // 2 // step * step
        if middle in (good, bad):
            break
        good, bad = (middle, bad) if passes(middle) else (good, middle)
    return good
