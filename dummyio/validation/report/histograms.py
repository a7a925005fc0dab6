"""The histograms of a report: the errors of each output by decade, next to the tolerance. The page's template draws them."""

import math
from typing import NamedTuple

from dummyio.validation.comparing.metrics import EDGES
from dummyio.validation.data.report_data import OutputSummary, ReportData
from dummyio.validation.report.number_text import format_error
from dummyio.validation.report.output_groups import group_outputs

SLOTS = len(EDGES) + 2
"""The bars of a histogram: the first is for equal elements, the last for errors beyond the largest edge."""
_MOST_SHOWN = 12
"""The number of histograms that are shown at once."""


class Bar(NamedTuple):
    """One decade: its index, its height (0 to 1, logarithmic), its kind for the color, and its description."""

    slot: int
    height: float
    kind: str
    title: str


class Histogram(NamedTuple):
    """One output, or a group. The tolerance is a range of slots, since it depends on the scale in each case."""

    output: str
    ok: bool
    bars: tuple[Bar, ...]
    bound: tuple[float, float] | None
    title: str


def _to_slot(value: float) -> float:
    """Return the position of an error on the axis; errors beyond the axis are at its end."""
    return min(max(math.log10(value) - math.log10(EDGES[0]) + 2, 1.0), float(SLOTS))


TICKS = tuple((_to_slot(10.0**power), "1" if power == 0 else f"1e{power}") for power in range(-12, 1, 3))
"""Positions and labels of the axis."""


def build_histograms(report: ReportData) -> tuple[list[Histogram], list[Histogram]]:
    """Return the histograms to show, failed outputs first, and those to fold: members of groups, and the rest.

    An output without inexact elements has none.
    """
    groups = [group for group in group_outputs(report) if any(group[0].histogram)]
    shown = sorted((_build_histogram(group[0]) for group in groups), key=lambda one: one.ok)
    members = [_build_histogram(one) for group in groups for one in group[1:] if any(one.histogram)]
    return shown[:_MOST_SHOWN], shown[_MOST_SHOWN:] + members


def _build_histogram(summary: OutputSummary) -> Histogram:
    bounds, counts = summary.bounds, summary.histogram
    beyond = bounds[1] if bounds and not summary.ok else math.inf
    edges = (0.0, 0.0, *EDGES, math.inf)
    bars = []
    for slot, count in enumerate(counts):
        low, high = edges[slot], edges[slot + 1]
        kind = "over" if high > beyond else "in" if slot else "equal"
        if count:
            height = math.log10(1 + count) / math.log10(1 + max(counts))
            bars.append(Bar(slot, height, kind, f"{count} elements with an error {_describe_range(low, high)}"))
    title = f"Errors of {summary.output} by size, {sum(counts)} elements over all cases."
    if bounds:
        title += f" The tolerance: {' to '.join(map(format_error, sorted(set(bounds))))}"
    bound = (_to_slot(bounds[0]), _to_slot(bounds[1])) if bounds else None
    return Histogram(summary.output, summary.ok, tuple(bars), bound, title)


def _describe_range(low: float, high: float) -> str:
    if high == 0:
        return "of 0"
    if low == 0:
        return f"below {high:.0e}"
    return f"above {low:.0e}" if math.isinf(high) else f"of {low:.0e} to {high:.0e}"
