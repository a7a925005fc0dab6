"""``dummyio doctor``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.shared_options import (
    EPILOG,
    collect_settings,
    json_option,
    print_warnings,
    quiet_option,
    refuse_empty,
    set_option,
    task_option,
)
from dummyio.cli.tables import open_console, print_lines, show_stages
from dummyio.exporting.stages import report_stage

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dummyio.exporting.preview.obstacle import Diagnosis, Obstacle


@click.command(epilog=EPILOG)
@click.argument("model", callback=refuse_empty)
@task_option
@set_option
@click.option("--format", "format_", callback=refuse_empty, help="The format to export to, such as onnx or pt2.")
@click.option("--trust", is_flag=True, help="Open files that can run code; see SECURITY.md.")
@quiet_option
@json_option
@print_warnings
def doctor(
    model: str,
    task: str | None,
    settings: tuple[Any, ...],
    format_: str | None,
    trust: bool,
    quiet: bool,
    as_json: bool,
) -> int:
    """Show all that stops an export of MODEL, not only the first: each with its line and the remedy.

    MODEL and the options are those of export. Versions, formats, inputs, memory, state, values that decide, sizes that
    become constants and operators are examined; nothing is written. Exit code 1: something stops the export.
    """
    from dummyio.exporting.preview.diagnose import diagnose  # noqa: PLC0415 - lazy: only for diagnoses
    from dummyio.running.load_model import load_model  # noqa: PLC0415 - lazy: only for diagnoses

    options = collect_settings(settings, diagnose)
    with show_stages(quiet=quiet or as_json):
        with report_stage("load", model):
            loaded, description = load_model(model, task, trust=trust)
        found = diagnose(loaded, task, format=format_, **options)
    if as_json:
        click.echo(json.dumps(found.to_dict(), indent=2))
    else:
        print_lines(open_console(), [f"model: {description}", *_list_lines(found)])
    return 0 if found.ok else 1


def _list_lines(found: Diagnosis) -> Iterator[str]:
    yield f"format: {found.format}"
    yield f"versions: {', '.join(f'{name} {version}' for name, version in found.versions.items()) or 'none are known'}"
    for number, obstacle in enumerate(found.blockers, 1):
        yield ""
        yield from _describe_obstacle(f"{number}. {obstacle.kind}", obstacle)
    for obstacle in found.obstacles:
        if not obstacle.stops:
            yield ""
            yield from _describe_obstacle(f"note: {obstacle.kind}", obstacle)
    yield ""
    count = len(found.blockers)
    yield (
        f"not ok: {count} {'reason stops' if count == 1 else 'reasons stop'} the export."
        if count
        else "ok: nothing was found that stops the export."
    )


def _describe_obstacle(title: str, obstacle: Obstacle) -> Iterator[str]:
    yield f"{title}{f', {obstacle.where}' if obstacle.where else ''}"
    if obstacle.code:
        yield f"   > {obstacle.code}"
    yield f"   {obstacle.message}"
    if obstacle.remedy:
        yield f"   {obstacle.remedy}"
