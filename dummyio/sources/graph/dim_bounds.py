"""Bounds of dims from the limits that a graph shows."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping
from dataclasses import replace

from dummyio.sources.graph.graph_facts import SizeLimit
from dummyio.spec.dims import Dim, Size, evaluate_size, find_dims

_SLACK = 2
"""In a sum with one bound, each dim leaves the others this many times their default sizes."""

_MAX_SIZE = 1 << 20
"""The smallest size is searched below this."""


def bound_dims(
    dims: Mapping[str, Dim], limits: Iterable[SizeLimit], floors: Iterable[tuple[Size, str]] = ()
) -> tuple[dict[str, Dim], dict[str, str]]:
    """Bound dims.

    Parameters
    ----------
    dims
        The dims of the inputs by name.
    limits
        Sizes that have a largest value.
    floors
        Sizes that must not be negative, each with the operation that needs it.

    Returns
    -------
    dims, reasons
        All dims with their bounds; the reason for each new bound by name.
    """
    found = dict(dims)
    reasons: dict[str, str] = {}
    for limit in limits:
        for dim in find_dims(limit.size):
            most = _largest(dim, limit)
            known = found[dim.name]
            if most >= max(known.min, 1) and (known.max is None or most < known.max):
                found[dim.name] = replace(known, size=min(known.size, most), max=most)
                reasons[dim.name] = f"at most {most}, because of {' '.join(limit.reason.split())}"
    for size, reason in floors:
        for dim in find_dims(size):
            known = found[dim.name]
            least = _smallest(size, dim)
            if least > known.min and (known.max is None or least <= known.max):
                found[dim.name] = replace(known, size=max(known.size, least), min=least)
                reasons[dim.name] = f"at least {least}, for a {reason} to have an output"
    return found, reasons


def _largest(dim: Dim, limit: SizeLimit) -> int:
    """Return the largest size of one dim at which the whole is in its bound; 0 if there is none."""
    others = [other for other in find_dims(limit.size) if other != dim]
    sizes = {other.name: _SLACK * other.size for other in others}
    candidates = range(1, limit.most + 1)
    if others and _needs_sharing(limit):
        return bisect_right(candidates, limit.most, key=lambda each: _evaluate_alike(limit.size, each))
    return bisect_right(candidates, limit.most, key=lambda own: evaluate_size(limit.size, {**sizes, dim.name: own}))


def _evaluate_alike(size: Size, each: int) -> int:
    """Return a size at which all dims of it are the same."""
    sizes = {dim.name: each for dim in find_dims(size)}
    return evaluate_size(size, sizes)


def _needs_sharing(limit: SizeLimit) -> bool:
    """Whether a table is so small that its dims, each alone at most times its default size, do not fit."""
    dims = list(find_dims(limit.size))
    sizes = {dim.name: _SLACK * dim.size for dim in dims}
    return any(evaluate_size(limit.size, {**sizes, dim.name: dim.size}) > limit.most for dim in dims)


def _smallest(size: Size, dim: Dim) -> int:
    """Return the smallest size of one dim at which the whole is not negative, with the others at their defaults."""
    least = bisect_left(range(_MAX_SIZE), 0, key=lambda own: evaluate_size(size, {dim.name: own}))
    return least if least < _MAX_SIZE else 0
