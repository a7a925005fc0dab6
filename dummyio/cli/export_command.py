"""``dummyio export``."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.comparison_options import check_reports, compare, comparison_options, show
from dummyio.cli.shared_options import EPILOG, chosen, fails_cleanly, json_option, set_option, task_option
from dummyio.cli.tables import console

if TYPE_CHECKING:
    from dummyio.exporting.artifact import Artifact
    from dummyio.validation import Report

__all__ = ["export"]


@click.command(epilog=EPILOG)
@click.argument("model")
@click.argument("out", type=click.Path())
@task_option
@set_option
@click.option("--format", "format_", help="The format, where the suffix of OUT does not say it.")
@click.option("--force", is_flag=True, help="Replace files that are there.")
@click.option("--no-validate", is_flag=True, help="Write only; else what was written is validated.")
@comparison_options
@json_option
@fails_cleanly
def export(
    model: str,
    out: str,
    task: str | None,
    settings: tuple[Any, ...],
    format_: str | None,
    force: bool,
    no_validate: bool,
    as_json: bool,
    **choices: Any,
) -> None:
    """Export MODEL to OUT, and validate what was written.

    MODEL is a folder or config.json of Hugging Face, a .keras file, or module:name for an object in Python code
    (module:name() for what a function returns). The suffix of OUT chooses the format (.onnx .pt2 .tflite .pb .stablehlo);
    without one it is a folder. What the exporter takes is set as sizes are: --set opset=18.
    """
    from dummyio.exporting.export import export as write  # noqa: PLC0415 - only where something is exported
    from dummyio.running.load_model import load_model  # noqa: PLC0415 - as above

    check_reports(choices["reports"])
    options = chosen(settings)
    loaded, what = load_model(model, task)
    artifact = write(loaded, out, task, format=format_, force=force, **options)
    if not as_json:
        _show_artifact(artifact, what)
    validated = not no_validate and options.get("weights", True) is not False
    if options.get("quantize") and choices["tolerance"] is None:
        choices["tolerance"] = options["quantize"]
    reports = _validated(artifact, loaded, as_json, choices) if validated else {}
    if as_json:
        click.echo(json.dumps(_summary(artifact, reports), indent=2))
    sys.exit(0 if all(report.ok for report in reports.values()) else 1)


def _validated(artifact: Artifact, model: Any, quiet: bool, choices: dict[str, Any]) -> dict[str, Report]:
    """Validate each file of the artifact against what it was made from; return file → report."""
    paths = choices.pop("reports")
    parts = artifact.components or {artifact.path.name: artifact.spec}
    found = {}
    for name, spec in parts.items():
        reference = (artifact.references or {}).get(name, model)
        path = artifact.path / name if artifact.components else artifact.path
        own = paths if len(parts) == 1 else tuple(_numbered(path, name) for path in paths)
        found[name] = compare(path, reference, own, quiet, spec=spec, **choices)
        if not quiet:
            show(found[name], own)
    return found


def _numbered(path: str, name: str) -> str:
    """Return a report's path with the part's name in it, where there are several parts."""
    stem, dot, suffix = path.rpartition(".")
    return f"{stem}.{name.rpartition('.')[0]}{dot}{suffix}"


def _show_artifact(artifact: Artifact, what: str) -> None:
    screen = console()
    lines = [f"model: {what}", *(f"note: {note}" for note in artifact.notes), *(f"Wrote {f}" for f in artifact.files)]
    for line in lines:
        screen.print(line, markup=False, highlight=False, soft_wrap=True)


def _summary(artifact: Artifact, reports: dict[str, Report]) -> dict[str, Any]:
    return {
        "format": artifact.format,
        "sha256": artifact.spec.sha256,
        "files": [str(file) for file in artifact.files],
        "notes": list(artifact.notes),
        "validated": {name: report.ok for name, report in reports.items()},
        "errors": [finding.message for report in reports.values() for finding in report.errors],
    }
