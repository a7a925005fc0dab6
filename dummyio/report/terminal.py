"""A report as tables, for a terminal."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from rich import box
from rich.console import Console, Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from dummyio.validation.report import Report

__all__ = ["to_renderable", "to_text"]

_WIDTH = 160
_MARKS = {"passed": "[green]passed[/]", "failed": "[red]failed[/]", "skipped": "[yellow]skipped[/]"}


def to_text(report: Report) -> str:
    """Return the tables as plain text."""
    console = Console(file=io.StringIO(), width=_WIDTH, color_system=None)
    console.print(to_renderable(report))
    text: str = console.file.getvalue()  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.splitlines())


def to_renderable(report: Report) -> RenderableType:
    """Return what a rich console prints."""
    parts: list[RenderableType] = [_case_table(report)]
    if report.by_output():
        parts.append(_output_table(report))
    if report.findings:
        parts.append(_finding_table(report))
    return Group(*parts, _verdict(report))


def _table(*columns: str) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _case_table(report: Report) -> Table:
    table = _table("case", "sizes", "result", "max abs", "why")
    for outcome in report.outcomes:
        wrong = [made for made in outcome.comparisons if not made.ok]
        why = outcome.reason or "; ".join(f"{made.output}: {made.reason}" for made in wrong)
        most = max((made.max_abs for made in outcome.comparisons), default=None)
        sizes = ", ".join(f"{name}={size}" for name, size in outcome.case.sizes.items())
        number = "" if most is None else f"{most:.1e}"
        table.add_row(escape(outcome.case.name), escape(sizes), _MARKS[outcome.status], number, escape(why))
    return table


def _output_table(report: Report) -> Table:
    table = _table("output", "result", "max abs", "max rel", "mean abs", "cosine", "off", "top-1", "tolerance")
    for one in report.by_output():
        top1 = "" if one.top1 is None else f"{one.top1:.1%}"
        reason = one.tolerance.reason if one.tolerance is not None else ""
        mark = _MARKS["passed" if one.ok else "failed"]
        numbers = (f"{one.max_abs:.1e}", f"{one.max_rel:.1e}", f"{one.mean_abs:.1e}", f"{one.cosine:.6f}")
        table.add_row(escape(one.output), mark, *numbers, f"{one.mismatched:.1%}", top1, escape(reason))
    return table


def _finding_table(report: Report) -> Table:
    table = _table("finding", "where", "what", "shown by")
    for finding in report.findings:
        colour = "red" if finding.severity == "error" else "yellow"
        shown = ", ".join(finding.cases[:3]) + (f" and {len(finding.cases) - 3} more" if len(finding.cases) > 3 else "")
        kind = f"[{colour}]{finding.severity}[/]: {escape(finding.kind)}"
        table.add_row(kind, escape(finding.where), escape(finding.message), escape(shown))
    return table


def _verdict(report: Report) -> Text:
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    text = f"{passed} of {len(report.outcomes)} cases passed, {len(report.errors)} errors, {len(report.warnings)} warnings."
    return Text(f"{'ok' if report.ok else 'not ok'}: {text}", style="bold green" if report.ok else "bold red")
