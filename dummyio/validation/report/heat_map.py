"""The heat map: for each case and output, how far it is off relative to its tolerance, in powers of ten."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dummyio.validation.data.records import Comparison, Outcome
from dummyio.validation.report.number_text import difference, number, share

if TYPE_CHECKING:
    from dummyio.validation.data.report_data import ReportData

__all__ = ["LEGEND", "ROOMY", "SKIPPED", "Cell", "Row", "heat_map"]

LEGEND = (
    ("exact", "0"),
    ("in4", "≤ 0.001"),
    ("in3", "≤ 0.01"),
    ("in2", "≤ 0.1"),
    ("in1", "≤ 1"),
    ("over1", "≤ 10"),
    ("over2", "≤ 100"),
    ("over3", "more"),
)
"""A cell's kind, and the largest error that it stands for, as a multiple of the tolerance."""

_OVER = 5
"""The first kind that is beyond the tolerance."""
SKIPPED = "\N{EN DASH}"
ROOMY = 8
"""Up to so many outputs the cells have room for a number."""


@dataclass(frozen=True)
class Cell:
    """One output in one case: `kind` chooses the colour, `mark` says the same without it."""

    kind: str
    mark: str
    text: str
    title: str
    failed: bool = False


@dataclass(frozen=True)
class Row:
    """One case; `number` is its place in the report."""

    number: int
    outcome: Outcome
    cells: tuple[Cell, ...]


def heat_map(report: ReportData) -> tuple[tuple[str, ...], tuple[Row, ...]]:
    """Return the outputs (columns), those that are off first, and the cases with a cell for each output (rows)."""
    names = tuple(one.output for one in sorted(report.by_output(), key=lambda one: one.ok))
    roomy = len(names) <= ROOMY
    rows = []
    for place, outcome in enumerate(report.outcomes):
        made = {one.output: one for one in outcome.comparisons}
        rows.append(Row(place, outcome, tuple(_cell(outcome, name, made.get(name), roomy) for name in names)))
    return names, tuple(rows)


def _cell(outcome: Outcome, name: str, made: Comparison | None, roomy: bool) -> Cell:
    head = f"{name} in {outcome.case.name}"
    if made is None:
        if outcome.status == "skipped":
            return Cell("none", SKIPPED, "", f"{head}: skipped. {outcome.reason}")
        return Cell("none", "!", "", f"{head}: no result. {outcome.reason}", failed=True)
    title = f"{head}, {list(made.shape)}: {difference(made)}"
    if made.ok and 0 in made.shape:
        return Cell("none", "∅", "", title)
    text = _text(made) if roomy else ""
    return Cell(LEGEND[_level(made)][0], "" if made.ok else "✗", text, title, failed=not made.ok)


def _text(made: Comparison) -> str:
    """Return what a cell with room says: the error, or in what other way it is off."""
    if made.nonfinite:
        return "nan, inf"
    if made.histogram:
        return number(made.max_abs)
    return "equal" if made.ok else share(made.mismatched) if made.worst is not None else "shape"


def _level(made: Comparison) -> int:
    """Return the place in the legend; what failed is beyond the tolerance whatever its largest error says."""
    if made.ok and made.max_abs == 0:
        return 0
    if made.nonfinite or not made.bound:
        return len(LEGEND) - 1
    ratio = made.max_abs / made.bound
    decade = math.ceil(math.log10(ratio)) if ratio > 0 else -3
    level = min(max(decade + _OVER - 1, 1), len(LEGEND) - 1)
    # Pass and fail are decided element by element: a large element may be off by more than one of the output's scale.
    return min(level, _OVER - 1) if made.ok else max(level, _OVER)
