"""The terminal output of the commands: tables of inputs and dims, lines, a progress bar."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dummyio.errors import escape_controls
from dummyio.spec.rule_text import explain_rule
from dummyio.spec.values import get_mask_path, get_padding_value

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dummyio.input_spec import InputSpec


def open_console() -> Console:
    """Return the console for tables; rows in files and pipes are not cut at 80 columns."""
    from rich.console import Console  # noqa: PLC0415 - lazy: not needed for --json

    console = Console()
    return console if console.is_terminal else Console(width=200)


def print_lines(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are, without markup, colors and wrapping; characters that control a terminal are escaped."""
    for line in lines:
        console.print(escape_controls(line), markup=False, highlight=False, soft_wrap=True)


def build_table(*columns: str, title: str | None = None) -> Table:
    """Return an empty table in the style of all commands."""
    from rich import box  # noqa: PLC0415 - lazy: not needed for --json
    from rich.table import Table  # noqa: PLC0415 - lazy: not needed for --json
    from rich.text import Text  # noqa: PLC0415 - lazy: not needed for --json

    heading = None if title is None else Text(escape_controls(title))
    table = Table(title=heading, title_justify="left", box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def add_row(table: Table, *cells: Any) -> None:
    """Add a row of texts, numbers and lists, None for an empty cell; texts come from files, so they are not read as markup."""
    from rich.text import Text  # noqa: PLC0415 - lazy: not needed for --json

    table.add_row(*(Text(escape_controls(_format_cell(cell))) for cell in cells))


def build_input_rows(spec: InputSpec) -> list[dict[str, Any]]:
    """Return a row for each input: name, shape, default size, dtype, and the values that it holds."""
    leaves = dict(spec.leaves)
    rows = []
    for path, leaf in leaves.items():
        mask = leaves.get(get_mask_path(leaf.values) or "")
        rows.append(
            {
                "name": path,
                "shape": [size if isinstance(size, int) else str(size) for size in leaf.shape],
                "size": list(leaf.sizes()),
                "dtype": str(leaf.dtype),
                "holds": explain_rule(leaf.values, get_padding_value(mask.values) if mask is not None else 0),
            }
        )
    return rows


def build_input_table(spec: InputSpec, rows: list[dict[str, Any]], *title: str) -> Table:
    """Return the table of `build_input_rows`; `title` follows the task."""
    parts = [*([f"task {spec.task}"] if spec.task else []), *title]
    columns = [*rows[0]][1:] if rows else []
    table = build_table("input", *columns, title=", ".join(parts) or None)
    for row in rows:
        add_row(table, *row.values())
    return table


def _format_cell(value: Any) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(str, value))}]"
    return "" if value is None else str(value)


def build_dim_rows(spec: InputSpec) -> list[dict[str, Any]]:
    """Return a row for each dim: name, default size and bounds."""
    return [
        {
            "name": dim.name,
            "size": dim.size,
            "min": dim.min,
            "max": dim.max,
            "multiple_of": None if dim.multiple_of == 1 else dim.multiple_of,
        }
        for dim in spec.dims.values()
    ]


def build_dim_table(spec: InputSpec) -> Table:
    """Return the table of the dims and their bounds."""
    table = build_table("dim", "size", "min", "max", "multiple of")
    for row in build_dim_rows(spec):
        add_row(table, *row.values())
    return table


def list_provenance(spec: InputSpec) -> list[str]:
    """Return a line for each fact about the source of a spec."""
    return [f"{key}: {value}" for key, value in spec.provenance.items()]


@contextmanager
def show_progress(text: str, *, quiet: bool) -> Generator[Callable[[int, int, str], None] | None]:
    """Show a progress bar on a terminal. Yields a function of steps done, all steps, and a text; None without a bar."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - lazy: only for a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(text, total=None)
        yield lambda done, total, name: bar.update(task, completed=done, total=total, description=escape_controls(name))
