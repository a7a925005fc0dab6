"""The probe plan: a small set of dim assignments that tell dims apart and expose sizes hard-coded by an export."""

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from math import prod

from dummyio.errors import DimError, SpecError
from dummyio.spec.dims import Dim, collect_dims
from dummyio.spec.spec_data import SpecData

# A probe must stay cheap to run: it may hold `_MAX_GROWTH` times the elements of the default sizes, or `_MAX_ELEMENTS`.
_MAX_GROWTH = 8
_MAX_ELEMENTS = 1 << 20
_SEARCH_STEPS = 4096
# The plan of a spec of thousands of dims or tensors is cut short: each probe is checked against each tensor.
_MAX_DIMS = 64
_MAX_CHECKS = 20_000


def plan_probes(spec: SpecData) -> list[dict[str, int]]:
    """Return assignments of sizes to the dims of `spec`, all different.

    First sizes that are pairwise distinct, and distinct from the constants of the shapes; then a second such set; then,
    for one dim at a time, its smallest size, its largest (if that stays cheap) and 1, all others as in the first.
    """
    # Dims that only outputs have cannot be chosen.
    inputs = collect_dims(size for _, leaf in spec.leaves for size in leaf.shape)
    free = [dim for dim in inputs.values() if not dim.fixed][:_MAX_DIMS]
    constants = {size for _, leaf in spec.leaves for size in leaf.shape if isinstance(size, int)}
    constants |= {dim.size for dim in spec.dims.values() if dim.fixed}
    base = spec.sizes()
    first = base | _choose_distinct_sizes(free, constants, skip=set())
    second = base | _choose_distinct_sizes(free, constants, skip=set(first.values()))
    plan = [first, second]
    for dim in free:
        plan += [first | {dim.name: size} for size in _list_extreme_sizes(dim)]
    budget = max(_MAX_ELEMENTS, _MAX_GROWTH * _count_elements(spec, base))
    kept: list[dict[str, int]] = []
    for sizes in plan[: max(2, _MAX_CHECKS // max(len(spec.leaves), 1))]:
        if sizes not in kept and sizes_are_valid(spec, sizes) and _count_elements(spec, sizes) <= budget:
            kept.append(sizes)
    return kept or [base]


def _choose_distinct_sizes(free: Iterable[Dim], constants: set[int], skip: set[int]) -> dict[str, int]:
    """Return, for each dim, the nearest size to its default, above it and at least 3 if possible, that no other size equals."""
    taken = set(constants) | skip
    sizes: dict[str, int] = {}
    for dim in free:
        allowed = _list_allowed_sizes(dim)
        place = bisect_left(allowed, dim.size)
        above, below = allowed[place:], allowed[:place]
        free_sizes = (size for size in chain(above, reversed(below)) if size >= 3 and size not in taken)
        small_sizes = (size for size in chain(above, reversed(below)) if size < 3 and size not in taken)
        sizes[dim.name] = next(chain(free_sizes, small_sizes), dim.size)
        taken.add(sizes[dim.name])
    return sizes


def _list_allowed_sizes(dim: Dim) -> Sequence[int]:
    """Return the sizes near the default that a dim can take, the smallest first."""
    if dim.choices is not None:
        return sorted(size for size in dim.choices if dim.takes(size))
    low, high = max(dim.min, dim.size - _SEARCH_STEPS), dim.size + _SEARCH_STEPS * dim.multiple_of
    if dim.max is not None:
        high = min(high, dim.max)
    start = -(-low // dim.multiple_of) * dim.multiple_of
    return range(start, high + 1, dim.multiple_of)[: 2 * _SEARCH_STEPS]


def _list_extreme_sizes(dim: Dim) -> list[int]:
    wanted = [1, dim.min, -(-dim.min // dim.multiple_of) * dim.multiple_of]
    wanted += [dim.max // dim.multiple_of * dim.multiple_of] if dim.max is not None else []
    wanted += list(dim.choices or ())
    return [size for size in dict.fromkeys(wanted) if dim.takes(size)]


def sizes_are_valid(spec: SpecData, sizes: Mapping[str, int]) -> bool:
    """Whether the inputs of a spec have valid shapes at these sizes."""
    try:
        spec.shapes(sizes)
    except (DimError, SpecError):
        return False
    return True


def _count_elements(spec: SpecData, sizes: dict[str, int]) -> int:
    return sum(prod(leaf.sizes(sizes)) for _, leaf in spec.leaves)
