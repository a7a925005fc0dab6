"""The heat map: the error of each output in each case relative to its tolerance, in powers of ten."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from dummyio.validation.data.records import Comparison, Outcome
from dummyio.validation.data.report_data import ReportData
from dummyio.validation.report.number_text import describe_comparison, format_error, format_share

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
"""The kinds of cells, and the largest error of each as a multiple of the tolerance."""

_OVER = 5
"""The first kind beyond the tolerance."""
MOST_WITH_TEXT = 8
"""Up to this number of outputs, cells have room for a number."""


class Cell(NamedTuple):
    """One output in one case. `kind` chooses the color; `mark` shows the status without color."""

    kind: str
    mark: str
    text: str
    title: str
    failed: bool = False


def build_heat_map(report: ReportData, outputs: Sequence[str]) -> list[list[Cell]]:
    """Return a row for each case, with a cell for each output."""
    with_text = len(outputs) <= MOST_WITH_TEXT
    rows = []
    for outcome in report.outcomes:
        made = {one.output: one for one in outcome.comparisons}
        rows.append([_cell(outcome, name, made.get(name), with_text) for name in outputs])
    return rows


def _cell(outcome: Outcome, name: str, made: Comparison | None, with_text: bool) -> Cell:
    head = f"{name} in {outcome.case.name}"
    if made is None and outcome.status == "skipped":
        return Cell("none", "\N{EN DASH}", "", f"{head}: skipped. {outcome.reason}")
    if made is None:
        return Cell("none", "!", "", f"{head}: no result. {outcome.reason}", failed=True)
    title = f"{head}, {list(made.shape)}: {describe_comparison(made)}"
    if made.ok and 0 in made.shape:
        return Cell("none", "∅", "", title)
    text = _cell_text(made) if with_text else ""
    return Cell(LEGEND[_level(made)][0], "" if made.ok else "✗", text, title, failed=not made.ok)


def _cell_text(made: Comparison) -> str:
    """Return the error of inexact elements; for others the kind of difference."""
    if made.nonfinite:
        return "nan, inf"
    if made.histogram:
        return format_error(made.max_abs)
    return "equal" if made.ok else format_share(made.mismatched) if made.worst is not None else "shape"


def _level(made: Comparison) -> int:
    """Return the index in the legend."""
    if made.ok and made.max_abs == 0:
        return 0
    if made.nonfinite or not made.bound:
        return len(LEGEND) - 1
    ratio = made.max_abs / made.bound
    decade = math.ceil(math.log10(ratio)) if ratio > 0 else -3
    level = min(max(decade + _OVER - 1, 1), len(LEGEND) - 1)
    # Elements pass or fail one by one: a large one may differ by more than the bound, which is that of the scale.
    return min(level, _OVER - 1) if made.ok else max(level, _OVER)
