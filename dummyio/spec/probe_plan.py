"""The probe plan: a few assignments of sizes that tell symbols apart and find sizes that were baked in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import prod
from typing import TYPE_CHECKING

from dummyio.errors import DimError, SpecError
from dummyio.spec.dims import Dim, collect_dims

if TYPE_CHECKING:
    from dummyio.spec.spec_data import SpecData

__all__ = ["plan_probes", "sizes_are_valid"]

# A probe must stay cheap to run: it may hold this many times the elements of the default sizes, and no fewer than this.
_GROWTH = 8
_ELEMENTS = 1 << 20
_SEARCH = 4096


def plan_probes(spec: SpecData) -> list[dict[str, int]]:
    """Return assignments of sizes to the symbols of `spec`, each different from the ones before.

    First sizes that are pairwise distinct, and distinct from the constants of the shapes; then a second such set; then,
    for one symbol at a time, its smallest size, its largest (where that stays cheap) and 1, all others as in the first.
    """
    inputs = collect_dims(
        size for _, leaf in spec.leaves for size in leaf.shape
    )  # what only outputs have cannot be chosen
    free = [dim for dim in inputs.values() if not dim.fixed]
    constants = {size for _, leaf in spec.leaves for size in leaf.shape if isinstance(size, int)}
    constants |= {dim.size for dim in spec.dims.values() if dim.fixed}
    base = spec.sizes()
    first = base | _distinct(free, constants, skip=set())
    second = base | _distinct(free, constants, skip=set(first.values()))
    plan = [first, second]
    for dim in free:
        plan += [first | {dim.name: size} for size in _extremes(dim)]
    budget = max(_ELEMENTS, _GROWTH * _elements(spec, base))
    kept: list[dict[str, int]] = []
    for sizes in plan:
        if sizes not in kept and sizes_are_valid(spec, sizes) and _elements(spec, sizes) <= budget:
            kept.append(sizes)
    return kept or [base]


def _distinct(free: Iterable[Dim], constants: set[int], skip: set[int]) -> dict[str, int]:
    """Give each symbol the size nearest above its default that no other size equals, preferring sizes of 3 and up."""
    taken = set(constants) | skip
    sizes: dict[str, int] = {}
    for dim in free:
        candidates = [size for size in _allowed(dim) if size not in taken]
        candidates.sort(key=lambda size: (size < 3, size < dim.size, abs(size - dim.size)))
        sizes[dim.name] = candidates[0] if candidates else dim.size
        taken.add(sizes[dim.name])
    return sizes


def _allowed(dim: Dim) -> list[int]:
    if dim.choices is not None:
        return [size for size in dim.choices if dim.takes(size)]
    low = max(dim.min, dim.size - _SEARCH)
    high = (
        dim.size + _SEARCH * dim.multiple_of if dim.max is None else min(dim.max, dim.size + _SEARCH * dim.multiple_of)
    )
    start = -(-low // dim.multiple_of) * dim.multiple_of
    return list(range(start, high + 1, dim.multiple_of))[: 2 * _SEARCH]


def _extremes(dim: Dim) -> list[int]:
    wanted = [1, dim.min, -(-dim.min // dim.multiple_of) * dim.multiple_of]
    wanted += [dim.max // dim.multiple_of * dim.multiple_of] if dim.max is not None else []
    wanted += list(dim.choices or ())
    return [size for size in dict.fromkeys(wanted) if dim.takes(size)]


def sizes_are_valid(spec: SpecData, sizes: Mapping[str, int]) -> bool:
    """Whether the inputs of a spec have shapes at these sizes."""
    try:
        spec.shapes(sizes)
    except (DimError, SpecError):
        return False
    return True


def _elements(spec: SpecData, sizes: dict[str, int]) -> int:
    return sum(prod(leaf.sizes(sizes)) for _, leaf in spec.leaves)
