"""The rows that topics return, as data, text and Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any, Literal

from benchmarks.timing import compare_times

HEADER = ("what", "against", "ratio", "quartiles", "target", "met", "dummyio", "the other")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison: a ratio of speeds should be large, a ratio of costs small."""

    topic: str
    what: str
    peer: str
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    bound: Literal[">=", "<="] = ">="
    target: float | None = None
    unit: Literal["s", "bytes", "count"] = "s"
    ours: float | None = None
    theirs: float | None = None
    skipped: str | None = None
    """Why there is no ratio."""

    @property
    def met(self) -> bool | None:
        """Whether the target is met; None without a target or a measurement."""
        if self.target is None or self.ratio is None:
            return None
        return self.ratio >= self.target if self.bound == ">=" else self.ratio <= self.target


def compare_speed(
    topic: str, what: str, peer: str, ours: list[float], theirs: list[float], target: float | None = None
) -> Row:
    """Return a row with the factor by which dummyio is faster than the peer."""
    return _compare(topic, what, peer, ours, theirs, ">=", target)


def compare_cost(
    topic: str, what: str, peer: str, ours: list[float], theirs: list[float], target: float | None = None
) -> Row:
    """Return a row with dummyio's time as a multiple of the peer's."""
    return _compare(topic, what, peer, ours, theirs, "<=", target)


def _compare(
    topic: str,
    what: str,
    peer: str,
    ours: list[float],
    theirs: list[float],
    bound: Literal[">=", "<="],
    target: float | None,
) -> Row:
    found = compare_times(theirs, ours) if bound == ">=" else compare_times(ours, theirs)
    return Row(
        topic=topic,
        what=what,
        peer=peer,
        ratio=found.median,
        low=found.low,
        high=found.high,
        bound=bound,
        target=target,
        ours=median(ours),
        theirs=median(theirs),
    )


def to_data(row: Row) -> dict[str, Any]:
    """Return a row as JSON data."""
    return {**asdict(row), "met": row.met}


def format_text(rows: Sequence[Row]) -> str:
    """Return a table for a terminal."""
    cells = [HEADER, *(_format_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADER))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]
    return "\n".join([lines[0], "  ".join("-" * width for width in widths), *lines[1:], *_skip_reasons(rows)])


def format_markdown(rows: Sequence[Row]) -> str:
    """Return a Markdown table."""
    lines = [HEADER, ("---",) * len(HEADER), *(_format_cells(row) for row in rows)]
    return "\n".join([*("| " + " | ".join(line) + " |" for line in lines), "", *_skip_reasons(rows)]).rstrip()


def _skip_reasons(rows: Iterable[Row]) -> list[str]:
    return [f"Skipped: {row.what} against {row.peer}: {row.skipped}" for row in rows if row.skipped]


def _format_cells(row: Row) -> tuple[str, ...]:
    if row.ratio is None:
        return (row.what, row.peer, "skipped", "", _format_target(row), "", "", "")
    met = "" if row.met is None else "yes" if row.met else "NO"
    spread = (
        f"{_format_number(row.low)} to {_format_number(row.high)}"
        if row.low is not None and row.high is not None
        else ""
    )
    return (
        row.what,
        row.peer,
        _format_number(row.ratio) + ("" if row.unit == "count" else "x"),
        spread,
        _format_target(row),
        met,
        _format_quantity(row.ours, row.unit),
        _format_quantity(row.theirs, row.unit),
    )


def _format_target(row: Row) -> str:
    return "" if row.target is None else f"{row.bound} {row.target:g}"


def _format_number(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}" if value < 10 else f"{value:.0f}"


def _format_quantity(value: float | None, unit: str) -> str:
    if value is None:
        return ""
    if unit == "bytes":
        return f"{value / (1 << 20):.1f} MiB"
    if unit == "count":
        return f"{value:.0f}"
    for factor, name in ((1, "s"), (1e3, "ms"), (1e6, "us")):
        if value * factor >= 1:
            return f"{value * factor:.3g} {name}"
    return f"{value * 1e9:.0f} ns"
