"""The steps that `export` and `validate` share: options, the validation itself, reports, the files that were written."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.shared_options import Tolerance, refuse_empty, seed_option
from dummyio.cli.tables import open_console, print_lines
from dummyio.exporting.stages import report_stage

if TYPE_CHECKING:
    from dummyio.validation import Report

_OPTIONS = (
    click.option("--atol", type=Tolerance(min=0), help="Absolute tolerance instead of the derived one."),
    click.option("--rtol", type=Tolerance(min=0), help="Relative tolerance instead of the derived one."),
    click.option(
        "--tolerance",
        callback=refuse_empty,
        help="A preset for an artifact that is coarser on purpose: float16, dynamic, int8, int16x8.",
    ),
    click.option(
        "--report",
        "reports",
        type=click.Path(),
        multiple=True,
        callback=refuse_empty,
        help="Write .json, .html or .xml. Repeat.",
    ),
    click.option("--baseline", type=click.Path(exists=True, dir_okay=False), help="An earlier report, as .json."),
    click.option("--failing", type=click.Path(file_okay=False), help="Save failing cases, shrunk, into this folder."),
    click.option("--trust", is_flag=True, help="Open files that can run code; see SECURITY.md."),
    seed_option,
)


def comparison_options(command: Callable[..., None]) -> Callable[..., None]:
    """Add the options of all commands that validate."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


def check_reports(reports: tuple[str, ...], *, force: bool) -> None:
    """Raise if a report cannot be written, or without `force` would replace another file, before anything runs."""
    from dummyio.validation.report.report import check_report_path  # noqa: PLC0415 - lazy: only for validations

    for path in reports:
        check_report_path(path, force=force)


def validate_and_save(actual: Any, reference: Any, reports: tuple[str, ...], as_json: bool, **choices: Any) -> Report:
    """Validate, write the reports, and print the result unless it is printed `as_json`."""
    from dummyio.validation import validate  # noqa: PLC0415 - lazy: only for validations

    name = actual.name if isinstance(actual, Path) else ""
    with report_stage("validate", name) as report_step:
        report = validate(
            actual,
            reference,
            progress=lambda done, total, case: report_step(f"case {done} of {total}: {case}"),
            **choices,
        )
    if not as_json:
        from dummyio.validation.report.terminal import to_renderable  # noqa: PLC0415 - lazy: not needed for --json

        console = open_console()
        console.print(to_renderable(report, console.width))
    save_reports(report, reports)
    return report


def save_reports(report: Report, paths: tuple[str, ...]) -> None:
    """Write a report to each path."""
    for path in paths:
        report.save(path)


def measure_files(paths: Iterable[str | Path]) -> dict[str, int]:
    """Return path → bytes of what was written, a folder with all that it has."""
    return {str(path): _count_bytes(Path(path)) for path in paths}


def _count_bytes(path: Path) -> int:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in files if file.exists())


def print_written(paths: Iterable[str | Path]) -> None:
    """Print a line for each file that was written, with its size."""
    from dummyio.materialize.memory_budget import format_bytes  # noqa: PLC0415 - lazy: start-up time

    lines = [f"Wrote {path} ({format_bytes(size)})" for path, size in measure_files(paths).items()]
    print_lines(open_console(), lines)
