"""The histograms of a report: the errors of an output by decade, with the positions of bars and tolerance in a picture."""

from __future__ import annotations

import math
from typing import NamedTuple

from dummyio.validation.comparing.metrics import EDGES
from dummyio.validation.data.report_data import OutputSummary, ReportData
from dummyio.validation.report.number_text import format_error
from dummyio.validation.report.output_groups import group_outputs

__all__ = ["HEIGHT", "TICKS", "WIDTH", "Bar", "Histogram", "draw_histograms"]

# Pixels.
_SLOT = 16.0
_LEFT = 8.0
_TOP = 14.0
_BASE = 78.0
_GAP = 6.0
"""Separates the equal elements, which have no position on a logarithmic axis, from the others."""
_LEAST = 3.0
"""The height of the smallest bar: a single wrong element among millions must be visible."""
WIDTH = _LEFT * 2 + _GAP + _SLOT * (len(EDGES) + 2)
HEIGHT = 96.0

_DRAWN = 12
"""The number of histograms that are shown at once."""


class Bar(NamedTuple):
    """One decade."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


class Histogram(NamedTuple):
    """The picture of one output, or of a group. The tolerance is a range: it depends on the scale in each case."""

    output: str
    ok: bool
    bars: tuple[Bar, ...]
    bound: tuple[float, float] | None
    title: str


def _position(value: float) -> float:
    """Return the horizontal position of an error; errors beyond the axis are at its end."""
    slots = math.log10(value) - math.log10(EDGES[0]) + 2
    return _LEFT + _GAP + _SLOT * min(max(slots, 1.0), len(EDGES) + 2.0)


TICKS = (
    (_LEFT + _SLOT / 2, "0"),
    *((_position(10.0**power), "1" if power == 0 else f"1e{power}") for power in range(-12, 1, 3)),
)
"""Positions and labels of the axis."""


def draw_histograms(report: ReportData) -> tuple[list[Histogram], list[Histogram]]:
    """Return the histograms to show, failed outputs first, and those to fold: members of groups, and the rest.

    An output without inexact elements has none.
    """
    groups = [group for group in group_outputs(report) if any(group[0].histogram)]
    drawn = sorted((_draw(group[0]) for group in groups), key=lambda picture: picture.ok)
    members = [_draw(one) for group in groups for one in group[1:] if any(one.histogram)]
    return drawn[:_DRAWN], drawn[_DRAWN:] + members


def _draw(summary: OutputSummary) -> Histogram:
    bounds, counts = summary.bounds, summary.histogram
    largest = max(counts)
    beyond = bounds[1] if bounds and not summary.ok else math.inf
    bars = tuple(_draw_bar(slot, count, largest, beyond) for slot, count in enumerate(counts) if count)
    title = f"Errors of {summary.output} by size, {sum(counts)} elements over all cases."
    if bounds:
        title += f" The tolerance: {' to '.join(map(format_error, sorted(set(bounds))))}"
    line = (_position(bounds[0]), _position(bounds[1])) if bounds else None
    return Histogram(summary.output, summary.ok, bars, line, title)


def _draw_bar(slot: int, count: int, largest: int, beyond: float) -> Bar:
    edges = (0.0, 0.0, *EDGES, math.inf)
    low, high = edges[slot], edges[slot + 1]
    if slot == 0:
        text = "exactly equal"
    elif low == 0:
        text = f"with an error below {high:.0e}"
    else:
        text = f"with an error above {low:.0e}" if math.isinf(high) else f"with an error of {low:.0e} to {high:.0e}"
    kind = "over" if high > beyond else "in" if slot else "equal"
    height = max(_LEAST, (_BASE - _TOP) * math.log10(1 + count) / math.log10(1 + largest))
    x = _LEFT + _SLOT * slot + (_GAP if slot else 0.0) + 1
    return Bar(x, _BASE - height, _SLOT - 2, height, kind, f"{count} elements {text}")
