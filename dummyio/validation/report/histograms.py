"""An output's errors as a histogram over decades: where each bar stands in its picture, and where the tolerance does."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dummyio.validation.comparing.metrics import EDGES
from dummyio.validation.report.number_text import number
from dummyio.validation.report.output_groups import Group, group_outputs

if TYPE_CHECKING:
    from dummyio.validation.data.report_data import ReportData

__all__ = ["HEIGHT", "TICKS", "WIDTH", "Bar", "Histogram", "histograms"]

_SLOT = 16.0
_LEFT = 8.0
_TOP = 14.0
_BASE = 78.0
_GAP = 6.0
"""Pixels between the exact elements, which have no place on a logarithmic axis, and the others."""
_DRAWN = 12
_LEAST = 3.0
"""Pixels of the smallest bar: a single wrong element among millions is what one looks for."""

WIDTH = _LEFT * 2 + _GAP + _SLOT * (len(EDGES) + 2)
HEIGHT = 96.0


@dataclass(frozen=True)
class Bar:
    """One decade; pixels."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Histogram:
    """One output's picture; the tolerance stands between two places, for it follows the size of each case's output."""

    output: str
    ok: bool
    bars: tuple[Bar, ...]
    bound: tuple[float, float] | None
    title: str


def _place(exponent: float) -> float:
    """Return where a power of ten stands; what is off the axis stands at its end."""
    first = math.log10(EDGES[0])
    slots = min(max(exponent - first + 2, 1.0), len(EDGES) + 2.0)
    return _LEFT + _GAP + _SLOT * slots


TICKS = (
    (_LEFT + _SLOT / 2, "0"),
    *((_place(power), "1" if power == 0 else f"1e{power}") for power in range(-12, 1, 3)),
)
"""Places and texts below the axis."""


def histograms(report: ReportData) -> tuple[list[Histogram], list[Histogram]]:
    """Return the pictures to show, those that are off first, and more to unfold: the members of groups, and what is too many.

    Outputs without inexact elements have none. Those of one kind that pass share a picture.
    """
    bounds: dict[str, list[float]] = {}
    for outcome in report.outcomes:
        for made in outcome.comparisons:
            if made.bound > 0:
                bounds.setdefault(made.output, []).append(made.bound)
    groups = [group for group in group_outputs(report.by_output()) if any(map(any, _counts(group)))]
    drawn = sorted((_histogram(group, bounds) for group in groups), key=lambda picture: picture.ok)
    members = [
        Group((one,)) for group in groups if len(group.members) > 1 for one in group.members if any(one.histogram)
    ]
    return drawn[:_DRAWN], drawn[_DRAWN:] + [_histogram(group, bounds) for group in members]


def _counts(group: Group) -> list[tuple[int, ...]]:
    return [one.histogram for one in group.members if one.histogram]


def _histogram(group: Group, allowed_by: Mapping[str, Sequence[float]]) -> Histogram:
    counts = tuple(map(sum, zip(*_counts(group), strict=True)))
    bounds = [bound for one in group.members for bound in allowed_by.get(one.output, ())]
    most = math.log10(1 + max(counts))
    beyond = max(bounds, default=math.inf) if not group.ok else math.inf
    bars = tuple(_bar(slot, count, most, beyond) for slot, count in enumerate(counts) if count)
    line = (_place(math.log10(min(bounds))), _place(math.log10(max(bounds)))) if bounds else None
    allowed = "" if not bounds else f" The tolerance: {number(min(bounds))}"
    if bounds and max(bounds) > min(bounds):
        allowed += f" to {number(max(bounds))}"
    title = f"Errors of {group.name} by size, {sum(counts)} elements over all cases.{allowed}"
    return Histogram(group.name, group.ok, bars, line, title)


def _bar(slot: int, count: int, most: float, beyond: float) -> Bar:
    low = EDGES[slot - 2] if slot > 1 else 0.0
    high = 0.0 if slot == 0 else EDGES[slot - 1] if slot <= len(EDGES) else math.inf
    if slot == 0:
        kind, what = "equal", "exactly equal"
    elif slot == 1:
        kind, what = "in", f"off by less than {EDGES[0]:.0e}"
    elif slot <= len(EDGES):
        kind, what = "in", f"off by {low:.0e} to {high:.0e}"
    else:
        kind, what = "in", f"off by more than {low:.0e}"
    height = max(_LEAST, (_BASE - _TOP) * math.log10(1 + count) / most)
    x = _LEFT + _SLOT * slot + (_GAP if slot else 0.0) + 1
    return Bar(x, _BASE - height, _SLOT - 2, height, "over" if high > beyond else kind, f"{count} elements {what}")
