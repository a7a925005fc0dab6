"""A report as tables, for a terminal of any width.

Where there is room, a table says why a case failed in a column of its own; in 80 columns it could show a word to a line,
and the findings, which say the same for all cases together, are paragraphs.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dummyio.validation.data.records import Finding, Outcome
from dummyio.validation.report.number_text import number, share, shown, sizes
from dummyio.validation.report.output_groups import group_outputs

if TYPE_CHECKING:
    from dummyio.validation.data.report_data import ReportData

__all__ = ["to_renderable", "to_text"]

_WIDTH = 160
_WIDE = 120
"""Columns of a terminal from which on the wide tables are shown."""
_WHY = 200
"""Characters of a reason in a table; a runtime's messages may be pages long, and the findings have them whole."""
_COLOURS = {"passed": "green", "failed": "red", "skipped": "yellow"}


def to_text(report: ReportData, width: int = _WIDTH) -> str:
    """Return the tables as plain text, `width` columns wide at most."""
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(to_renderable(report))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def to_renderable(report: ReportData) -> RenderableType:
    """Return what a rich console prints; it asks the console for its width."""
    return _Screen(report)


class _Screen:
    """A report, as wide as its console."""

    def __init__(self, report: ReportData) -> None:
        self._report = report

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        wide = options.max_width >= _WIDE
        yield _case_table(self._report, wide)
        if self._report.by_output():
            yield _output_table(self._report, wide)
        if self._report.findings:
            yield _finding_table(self._report) if wide else _finding_paragraphs(self._report)
        yield _verdict(self._report)


def _table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in right else "left")
    return table


def _status(status: str) -> Text:
    return Text(status, style=_COLOURS[status])


def _case_table(report: ReportData, wide: bool) -> Table:
    table = _table("case", "sizes", "result", "max abs", *(["why"] if wide else []), right=("max abs",))
    for outcome in report.outcomes:
        most = max((made.max_abs for made in outcome.comparisons), default=None)
        # Text, and not a string with markup: names come from files, and "[/]" in one would end a style that is not open.
        cells = [Text(outcome.case.name), Text(sizes(outcome.case)), _status(outcome.status)]
        cells.append(Text("" if most is None else number(most)))
        table.add_row(*cells, *([Text(_why(outcome))] if wide else []))
    return table


def _why(outcome: Outcome) -> str:
    wrong = [f"{made.output}: {made.reason}" for made in outcome.comparisons if not made.ok]
    text = " ".join((outcome.reason or "; ".join(wrong)).split())
    return text if len(text) <= _WHY else f"{text[:_WHY]}…"


def _output_table(report: ReportData, wide: bool) -> Table:
    groups = group_outputs(report.by_output())
    scores = any(group.top1 is not None for group in groups)
    more = ["max rel", "mean abs"] if wide else []
    numbers = ["max abs", *more, "cosine", "off", *(["top-1"] if scores else [])]
    table = _table("output", "result", *numbers, *(["tolerance"] if wide else []), right=tuple(numbers))
    for group in groups:
        cells = [Text(group.name), _status("passed" if group.ok else "failed"), Text(number(group.most("max_abs")))]
        if wide:
            cells += [Text(number(group.most("max_rel"))), Text(number(group.most("mean_abs")))]
        cells += [Text(f"{group.cosine:.6f}"), Text(share(group.most("mismatched")))]
        if scores:
            cells.append(Text("" if group.top1 is None else share(group.top1)))
        table.add_row(*cells, *([Text(group.reason)] if wide else []))
    return table


def _head(finding: Finding) -> Text:
    colour = _COLOURS["failed" if finding.severity == "error" else "skipped"]
    return Text.assemble((finding.severity, colour), f": {finding.kind}")


def _finding_table(report: ReportData) -> Table:
    table = _table("finding", "where", "what", "shown by")
    for finding in (*report.errors, *report.warnings):
        table.add_row(_head(finding), Text(finding.where), Text(finding.message), Text(shown(finding.cases)))
    return table


def _finding_paragraphs(report: ReportData) -> Group:
    parts: list[RenderableType] = []
    for finding in (*report.errors, *report.warnings):
        text = Text(finding.message)
        if finding.cases:
            text.append(f"\nshown by: {shown(finding.cases)}", style="dim")
        parts += [_head(finding).append(f", {finding.where}"), Padding(text, (0, 0, 1, 2))]
    return Group(*parts)


def _verdict(report: ReportData) -> Text:
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    counts = [f"{passed} of {len(report.outcomes)} cases passed"]
    for name, found in (("error", report.errors), ("warning", report.warnings)):
        counts.append(f"{len(found)} {name}" + ("" if len(found) == 1 else "s"))
    style = "bold green" if report.ok else "bold red"
    return Text(f"{'ok' if report.ok else 'not ok'}: {', '.join(counts)}.", style=style)
