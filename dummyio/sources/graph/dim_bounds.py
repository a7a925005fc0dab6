"""From what a graph shows of its sizes to the bounds of its symbols."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from dummyio.sources.graph.graph_facts import SizeLimit
from dummyio.spec.dims import Dim, Size, evaluate_size, find_dims

__all__ = ["bound_dims"]

_SLACK = 2
"""In a sum that is bounded as a whole, each symbol leaves the others this many times their default sizes."""

_MOST = 1 << 20
"""Sizes that are searched for a smallest one."""


def bound_dims(
    dims: Mapping[str, Dim], limits: Iterable[SizeLimit], floors: Iterable[tuple[Size, str]] = ()
) -> tuple[dict[str, Dim], dict[str, str]]:
    """Return the symbols with the bounds that `limits` and `floors` mean for them; and by symbol, where these are from."""
    found = dict(dims)
    reasons: dict[str, str] = {}
    for limit in limits:
        for dim in find_dims(limit.size):
            most = _most(dim, limit)
            known = found[dim.name]
            if most >= max(known.min, 1) and (known.max is None or most < known.max):
                found[dim.name] = replace(known, size=min(known.size, most), max=most)
                reasons[dim.name] = f"at most {most}, because of {limit.reason}"
    for size, reason in floors:
        for dim in find_dims(size):
            known = found[dim.name]
            least = _least(size, dim)
            if least > known.min and (known.max is None or least <= known.max):
                found[dim.name] = replace(known, size=max(known.size, least), min=least)
                reasons[dim.name] = f"at least {least}, for a {reason} to have an output"
    return found, reasons


def _most(dim: Dim, limit: SizeLimit) -> int:
    """Return the largest size of one symbol at which the whole stays in its bound; 0 where none is."""
    others = [other for other in find_dims(limit.size) if other != dim]
    sizes = {other.name: _SLACK * other.size for other in others}
    if others and _total(limit.size, dim, sizes, dim.size) > limit.most:  # a small table: share it out
        return limit.most // (len(others) + 1)
    low, high = 0, limit.most
    while low < high:
        middle = (low + high + 1) // 2
        if _total(limit.size, dim, sizes, middle) <= limit.most:
            low = middle
        else:
            high = middle - 1
    return low


def _least(size: Size, dim: Dim) -> int:
    """Return the smallest size of one symbol at which the whole is not negative, the others at their defaults."""
    low, high = 0, _MOST
    while low < high:
        middle = (low + high) // 2
        if _total(size, dim, {}, middle) >= 0:
            high = middle
        else:
            low = middle + 1
    return low if low < _MOST else 0


def _total(size: Size, dim: Dim, others: Mapping[str, int], own: int) -> int:
    return evaluate_size(size, {**others, dim.name: own})
