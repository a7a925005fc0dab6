"""What the measurements of models share: another size of a dim, and tables of how far models get."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Any

import dummyio

MEASURES = ("runs", "full", "dynamic")
"""The steps, in their order: each needs those before it."""


def other_size(dim: dummyio.Dim) -> int | None:
    """Return another size than the default; None if there is none."""
    if dim.choices:
        return next((size for size in dim.choices if size != dim.size), None)
    for size in (dim.size + dim.multiple_of, dim.size - dim.multiple_of):
        if size >= max(dim.min, 1) and (dim.max is None or size <= dim.max):
            return size
    return None


def show_share(members: Sequence[Any], measure: str) -> str:
    """Return how many rows reach a step, and their share."""
    count = sum(getattr(row, measure) for row in members)
    return f"{count} ({count / max(len(members), 1):.1%})"


def table(rows: Sequence[Any], what: str, group: Callable[[Any], str], counted: str = "classes") -> list[str]:
    """Return the shares of groups of rows, and of all, as a table; the largest group first."""
    groups: dict[str, list[Any]] = defaultdict(list)
    for row in rows:
        groups[group(row)].append(row)
    order = sorted(groups, key=lambda name: (-len(groups[name]), name))
    lines = [f"| {what} | {counted} | {' | '.join(MEASURES)} |", "|---|---:|---:|---:|---:|"]
    for name, members in [*((name, groups[name]) for name in order), ("**all**", rows)]:
        shares = " | ".join(show_share(members, each) for each in MEASURES)
        lines.append(f"| {name} | {len(members)} | {shares} |")
    return lines


def failures(rows: Sequence[Any], what: str = "class") -> list[str]:
    """Return the rows that do not reach the last step, as a table."""
    lines = [f"| {what} | reaches | what stops it |", "|---|---|---|"]
    for row in sorted(rows, key=lambda row: row.name):
        if not row.dynamic:
            reached = next((each for each in reversed(MEASURES) if getattr(row, each)), "nothing")
            lines.append(f"| {row.name} | {reached} | {escape(row.reason)} |")
    return lines


def escape(text: str) -> str:
    """Return a text that stands in a cell of a table."""
    return text.replace("|", "\\|").replace("<", "&lt;").replace("\n", " ")
