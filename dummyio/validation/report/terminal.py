"""A report as tables for a terminal of any width; narrow terminals omit some columns."""

import io

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from dummyio.errors import escape_controls
from dummyio.validation.data.records import Finding, Outcome
from dummyio.validation.data.report_data import ReportData
from dummyio.validation.report.number_text import format_error, format_share, format_sizes, list_cases
from dummyio.validation.report.output_groups import group_outputs

_WIDE = 120
"""The smallest width for all columns."""
_MOST_REASON = 200
"""Characters of a reason in a table: messages of runtimes can have pages, and the findings contain them completely."""
_COLORS = {"passed": "green", "ran": "green", "failed": "red", "skipped": "yellow"}


def to_text(report: ReportData, width: int = 160) -> str:
    """Return the tables as plain text, at most `width` columns wide."""
    stream = io.StringIO()
    Console(file=stream, width=width, color_system=None).print(to_renderable(report, width))
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def to_renderable(report: ReportData, width: int) -> RenderableType:
    """Return the tables for a rich console of this width."""
    wide = width >= _WIDE
    parts: list[RenderableType] = [_case_table(report, wide)]
    if report.by_output():
        parts.append(_output_table(report, wide))
    for finding in (*report.errors, *report.known, *report.warnings):
        parts += _finding_lines(finding)
    return Group(*parts, _summary_line(report))


def _table(*columns: str, right: tuple[str, ...]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold", justify="right" if column in right else "left")
    return table


def _add_row(table: Table, *cells: str | Text) -> None:
    """Add a row without markup: names come from files, and "[/]" in one would be a closing tag."""
    table.add_row(*(Text(escape_controls(cell)) if isinstance(cell, str) else cell for cell in cells))


def _status(status: str) -> Text:
    return Text(status, style=_COLORS[status])


def _case_table(report: ReportData, wide: bool) -> Table:
    table = _table("case", "sizes", "result", "max abs", *(["reason"] if wide else []), right=("max abs",))
    for outcome in report.outcomes:
        case, errors = outcome.case, [made.max_abs for made in outcome.comparisons]
        cells: list[str | Text] = [
            case.name,
            format_sizes(case),
            _status(outcome.status),
            format_error(max(errors)) if errors else "",
        ]
        _add_row(table, *cells, *([_reason(outcome)] if wide else []))
    return table


def _reason(outcome: Outcome) -> str:
    wrong = [f"{made.output}: {made.reason}" for made in outcome.comparisons if not made.ok]
    text = " ".join((outcome.reason or "; ".join(wrong)).split())
    return text if len(text) <= _MOST_REASON else f"{text[:_MOST_REASON]}…"


def _output_table(report: ReportData, wide: bool) -> Table:
    groups = [group[0] for group in group_outputs(report)]
    scores = any(one.top1 is not None for one in groups)
    numbers = ["max abs", *(["max rel", "mean abs"] if wide else []), "cosine", "off", *(["top-1"] if scores else [])]
    table = _table("output", "result", *numbers, *(["tolerance"] if wide else []), right=tuple(numbers))
    for one in groups:
        cells: list[str | Text] = [one.output, _status("passed" if one.ok else "failed"), format_error(one.max_abs)]
        cells += [format_error(one.max_rel), format_error(one.mean_abs)] if wide else []
        cells += [f"{one.cosine:.6f}", format_share(one.mismatched)]
        if scores:
            cells.append("" if one.top1 is None else format_share(one.top1))
        _add_row(table, *cells, *([one.tolerance.reason if one.tolerance else ""] if wide else []))
    return table


def _finding_lines(finding: Finding) -> tuple[RenderableType, RenderableType]:
    color = _COLORS["failed" if finding.severity == "error" and not finding.known else "skipped"]
    title = f"known {finding.severity}" if finding.known else finding.severity
    text = Text(escape_controls(finding.message))
    if finding.cases:
        text.append(f"\nin {escape_controls(list_cases(finding.cases))}", style="dim")
    head = Text.assemble((title, color), f": {escape_controls(f'{finding.kind}, {finding.where}')}")
    return head, Padding(text, (0, 0, 1, 2))


def _summary_line(report: ReportData) -> Text:
    good = "passed" if report.reference is not None else "ran"
    count = sum(outcome.status == good for outcome in report.outcomes)
    counts = [f"{count} of {len(report.outcomes)} cases {good}"]
    for name, found in (("error", report.errors), ("known error", report.known), ("warning", report.warnings)):
        if found or name != "known error":
            counts.append(f"{len(found)} {name}" + ("" if len(found) == 1 else "s"))
    style = "bold green" if report.ok else "bold red"
    return Text(f"{'ok' if report.ok else 'not ok'}: {', '.join(counts)}.", style=style)
