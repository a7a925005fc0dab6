"""``dummyio export``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.comparison_options import check_reports, comparison_options, save_reports, validate_and_save
from dummyio.cli.shared_options import (
    EPILOG,
    collect_settings,
    json_option,
    print_warnings,
    refuse_empty,
    set_option,
    task_option,
)
from dummyio.cli.tables import open_console, print_lines

if TYPE_CHECKING:
    from dummyio.exporting.artifact import Artifact
    from dummyio.validation import Report


@click.command(epilog=EPILOG)
@click.argument("model", callback=refuse_empty)
@click.argument("out", type=click.Path(), callback=refuse_empty)
@task_option
@set_option
@click.option("--format", "format_", callback=refuse_empty, help="The format; by default from the suffix of OUT.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--no-validate", is_flag=True, help="Do not validate the written artifact.")
@comparison_options
@json_option
@print_warnings
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
) -> int:
    """Export MODEL to OUT, and validate the written artifact.

    MODEL is a Hugging Face folder or config.json, a .keras file, or module:name or file.py:name for an object
    (module:name() for the return value of a function). The suffix of OUT chooses the format (.onnx .pt2 .tflite .pb
    .stablehlo); without a suffix OUT is a folder. Options of the exporter are set like sizes: --set opset=18.
    """
    from dummyio.exporting.export import check_target  # noqa: PLC0415 - lazy: only for exports
    from dummyio.exporting.export import export as export_model  # noqa: PLC0415 - lazy: only for exports
    from dummyio.running.load_model import load_model  # noqa: PLC0415 - lazy: only for exports

    check_reports(choices["reports"], force=force)
    options = collect_settings(settings, export_model)
    check_target(out, format_, force=force, weights=options.get("weights"))  # before the model is loaded
    loaded, description = load_model(model, task, trust=choices["trust"])
    artifact = export_model(loaded, out, task, format=format_, force=force, **options)
    if not as_json:
        files = [f"Wrote {file}" for file in artifact.files]
        print_lines(open_console(), [f"model: {description}", *(f"note: {note}" for note in artifact.notes), *files])
    if options.get("quantize") and choices["tolerance"] is None:
        choices["tolerance"] = options["quantize"]
    has_weights = options.get("weights", True) is not False
    reports = _validate_parts(artifact, loaded, as_json, choices) if has_weights and not no_validate else {}
    if as_json:
        click.echo(json.dumps(_summary(artifact, reports), indent=2))
    return 0 if all(report.ok for report in reports.values()) else 1


def _validate_parts(artifact: Artifact, model: Any, quiet: bool, choices: dict[str, Any]) -> dict[str, Report]:
    """Validate each file of the artifact against the model that it comes from; return file → report."""
    paths = choices.pop("reports")
    parts = artifact.components or {artifact.path.name: artifact.spec}
    choices["trust"] = True  # these files have just been written from a model that is loaded
    found = {}
    for name, spec in parts.items():
        reference = (artifact.references or {}).get(name, model)
        path = artifact.path / name if artifact.components else artifact.path
        found[name] = validate_and_save(path, reference, paths if len(parts) == 1 else (), quiet, spec=spec, **choices)
    if len(parts) > 1 and paths:
        from dummyio.validation.validate_parts import join_reports  # noqa: PLC0415 - lazy: only for several files

        save_reports(join_reports(found, artifact.path, type(model).__name__), paths, quiet)
    return found


def _summary(artifact: Artifact, reports: dict[str, Report]) -> dict[str, Any]:
    return {
        "format": artifact.format,
        "sha256": artifact.spec.sha256,
        "files": [str(file) for file in artifact.files],
        "notes": list(artifact.notes),
        "validated": {name: report.ok for name, report in reports.items()},
        "errors": [finding.message for report in reports.values() for finding in report.errors],
    }
