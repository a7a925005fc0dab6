"""The steps that `export` and `validate` share: options, progress, reports, exit code."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.shared_options import Tolerance, refuse_empty, seed_option
from dummyio.cli.tables import open_console, print_lines, show_progress

if TYPE_CHECKING:
    from dummyio.validation import Report

_OPTIONS = (
    click.option("--atol", type=Tolerance(min=0), help="Absolute tolerance instead of the derived one."),
    click.option("--rtol", type=Tolerance(min=0), help="Relative tolerance instead of the derived one."),
    click.option(
        "--tolerance",
        callback=refuse_empty,
        help="A preset for an artifact that is coarser on purpose: float16, dynamic, int8.",
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


def validate_and_save(actual: Any, reference: Any, reports: tuple[str, ...], quiet: bool, **choices: Any) -> Report:
    """Validate with a progress bar, write the reports, and print the result unless `quiet`."""
    from dummyio.validation import validate  # noqa: PLC0415 - lazy: only for validations

    with show_progress("validating", quiet=quiet) as advance:
        report = validate(actual, reference, progress=advance, **choices)
    if not quiet:
        from dummyio.validation.report.terminal import to_renderable  # noqa: PLC0415 - lazy: not needed for --json

        console = open_console()
        console.print(to_renderable(report, console.width))
    save_reports(report, reports, quiet)
    return report


def save_reports(report: Report, paths: tuple[str, ...], quiet: bool) -> None:
    """Write a report to each path, and print what was written unless `quiet`."""
    for path in paths:
        report.save(path)
    if not quiet:
        print_lines(open_console(), [f"Wrote {path}" for path in (*paths, *report.failing)])
