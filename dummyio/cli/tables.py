"""The terminal output of the commands: tables of inputs and dims, lines, and a line for each stage while they work."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TextIO

from dummyio.errors import escape_controls
from dummyio.exporting.stages import Stage, listen_to_stages
from dummyio.spec.values import get_mask_path, get_padding_value
from dummyio.spec.values.rule_text import explain_rule

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from dummyio.input_spec import InputSpec

_COLUMNS = 80
_NAME = 9
"""The width of the longest name of a stage, ``validate``, and a space."""


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
def show_stages(*, quiet: bool) -> Generator[None]:
    """Show the stages of this context on standard error; nothing if `quiet`, or if standard error is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    lines = _StageLines(sys.stderr)  # this object: exporters replace the one in `sys` while they run
    with listen_to_stages(lines.show):
        try:
            yield
        finally:
            lines.end()


class _StageLines:
    """The last line is that of the stage that runs, and is replaced; those of stages that have ended stay above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0

    def show(self, stage: Stage) -> None:
        """Show a stage that begins, takes a step or ends."""
        if stage.state == "begun":
            self._write(f"{stage.name:<{_NAME}}{stage.step or '...'}  {stage.subject}", is_last=True)
            return
        failed = "  failed" if stage.state == "failed" else ""
        self._write(f"{stage.name:<{_NAME}}{stage.seconds:7.1f} s  {stage.subject}{failed}", is_last=False)

    def end(self) -> None:
        """Remove the line of a stage that has not ended."""
        if self._shown:
            self._print(f"\r{' ' * self._shown}\r")
            self._shown = 0

    def _write(self, text: str, *, is_last: bool) -> None:
        shown = escape_controls(text.rstrip())[: self._count_columns() - 1]  # a longer line could not be replaced
        # Spaces erase the former text on every terminal, also on those without control sequences.
        self._print("\r" + shown.ljust(self._shown) + ("" if is_last else "\n"))
        self._shown = len(shown) if is_last else 0

    def _count_columns(self) -> int:
        with suppress(OSError, ValueError, AttributeError):
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        return _COLUMNS

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # progress that cannot be shown stops no work
            self._stream.write(text)
            self._stream.flush()
