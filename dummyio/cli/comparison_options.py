"""What `export` and `validate` share: how strictly is compared, the progress, the reports, the exit code."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.tables import console
from dummyio.errors import OutputError

if TYPE_CHECKING:
    from dummyio.validation import Report

__all__ = ["check_reports", "compare", "comparison_options", "show"]

_SUFFIXES = (".json", ".html", ".xml")

_OPTIONS = (
    click.option("--atol", type=click.FloatRange(min=0), help="An absolute tolerance, in place of the derived one."),
    click.option("--rtol", type=click.FloatRange(min=0), help="A relative tolerance, likewise."),
    click.option("--tolerance", help="A preset for an artifact that is coarser on purpose: float16, dynamic, int8."),
    click.option("--report", "reports", type=click.Path(), multiple=True, help="Write .json, .html or .xml. Repeat."),
    click.option("--baseline", type=click.Path(exists=True, dir_okay=False), help="An earlier report, as .json."),
    click.option("--failing", type=click.Path(file_okay=False), help="Save failing cases, shrunk, into this folder."),
    click.option("--seed", type=int, default=0, show_default=True, help="Which values."),
)


def comparison_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of every command that validates."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_reports(reports: tuple[str, ...]) -> None:
    """Raise for reports that could not be written, before there is anything to write."""
    wrong = next((path for path in reports if Path(path).suffix not in _SUFFIXES), None)
    if wrong is not None:
        raise OutputError(f"{wrong}: reports are written as {', '.join(_SUFFIXES)}; choose by the suffix.")
    if any(path.endswith(".html") for path in reports):
        from dummyio.validation.report.html import require_library  # noqa: PLC0415 - only for pages

        require_library()


def compare(actual: Any, reference: Any, reports: tuple[str, ...], quiet: bool, **choices: Any) -> Report:
    """Validate with a progress bar, and write the reports."""
    from dummyio.validation import validate  # noqa: PLC0415 - only where something is validated

    with _progress(quiet) as advance:
        report = validate(actual, reference, progress=advance, **choices)
    for path in reports:
        report.save(path)
    return report


def show(report: Report, reports: tuple[str, ...]) -> None:
    """Print a report's tables and where it was written."""
    from dummyio.validation.report.terminal import to_renderable  # noqa: PLC0415 - not needed for --json

    screen = console()
    screen.print(to_renderable(report))
    for path in (*reports, *report.failing):
        screen.print(f"Wrote {path}", markup=False, highlight=False, soft_wrap=True)


@contextmanager
def _progress(quiet: bool) -> Generator[Callable[[int, int, str], None] | None]:
    """Show a bar over cases, on a terminal."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only where it shows
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("validating", total=None)

        def advance(done: int, total: int, name: str) -> None:
            bar.update(task, completed=done, total=total, description=name)

        yield advance
