"""The sizes that a dim can take, found by trying: one size, multiples of one, a smallest or a largest size."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim

Takes = Callable[[InputSpec, Mapping[str, int]], bool | None]
"""Whether a module takes a spec's inputs at some sizes; None if that cannot be shown."""
_STEPS = (2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 64, 96, 128)


def fit_dims(spec: InputSpec, refused: Mapping[str, int], takes: Takes) -> InputSpec | None:
    """Return the spec with its dims restricted so that it no longer has the refused sizes; None if nothing helps.

    The first dim whose default size makes a module take the others is at fault; if no dim is alone at fault, all that differ from
    their defaults get one size.
    """
    base = spec.sizes()
    changed = [name for name, size in refused.items() if size != base[name]]
    for name in changed:
        if len(changed) == 1 or takes(spec, {**refused, name: base[name]}):
            return _with_dim(spec, _fit_dim(spec, name, refused[name], takes))
    fitted: InputSpec | None = spec
    for name in changed:
        fitted = fitted and _with_dim(fitted, _fit_dim(spec, name, refused[name], takes))
    return fitted


def _fit_dim(spec: InputSpec, name: str, refused: int, takes: Takes) -> Dim:
    """Return a dim with a multiple or a bound that excludes a refused size, and with which the sizes next to the default are taken."""
    dim, base = spec.dims[name], spec.sizes()

    def passes(size: int) -> bool:
        return dim.takes(size) and bool(takes(spec, {**base, name: size}))

    above, below = dim.size + dim.multiple_of, dim.size - dim.multiple_of
    if refused < dim.size and (passes(above) or passes(below)):
        return replace(dim, min=_find_smallest(dim, refused, passes))
    if refused > dim.size and (passes(above) or passes(below)):
        return replace(dim, max=_find_largest(dim, refused, passes))
    multiples = (dim.multiple_of * step for step in _STEPS)
    for multiple in (each for each in multiples if dim.size % each == 0 and refused % each):
        if passes(dim.size + multiple):
            return replace(dim, multiple_of=multiple, min=multiple if passes(multiple) else dim.size)
    return Dim.static(name, dim.size)


def _find_smallest(dim: Dim, bad: int, passes: Callable[[int], bool]) -> int:
    low, high = bad, dim.size
    while high - low > dim.multiple_of:
        middle = (low + high) // 2 // dim.multiple_of * dim.multiple_of
        if middle <= low:
            break
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _find_largest(dim: Dim, bad: int, passes: Callable[[int], bool]) -> int:
    low, high = dim.size, bad
    while high - low > dim.multiple_of:
        middle = (low + high) // 2 // dim.multiple_of * dim.multiple_of
        if middle <= low:
            break
        low, high = (middle, high) if passes(middle) else (low, middle)
    return low


def _with_dim(spec: InputSpec, dim: Dim) -> InputSpec | None:
    try:
        return spec.with_dims(**{dim.name: dim})
    except DummyioError:
        return None
