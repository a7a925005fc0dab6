"""``dummyio export``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.comparison_options import (
    check_reports,
    comparison_options,
    measure_files,
    print_written,
    save_reports,
    validate_and_save,
)
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
from dummyio.cli.tables import (
    add_row,
    build_dim_rows,
    build_dim_table,
    build_input_rows,
    build_input_table,
    build_table,
    open_console,
    print_lines,
    show_stages,
)
from dummyio.exporting.stages import report_stage

if TYPE_CHECKING:
    from pathlib import Path

    from dummyio.exporting.artifact import Artifact
    from dummyio.exporting.preview.plan_export import ExportPlan
    from dummyio.validation import Report


@click.command(epilog=EPILOG)
@click.argument("model", callback=refuse_empty)
@click.argument("out", type=click.Path(), callback=refuse_empty)
@task_option
@set_option
@click.option("--format", "format_", callback=refuse_empty, help="The format; by default from the suffix of OUT.")
@click.option("--layout", callback=refuse_empty, help="The files of a folder: optimum, transformers.js.")
@click.option("--force", is_flag=True, help="Replace existing files.")
@click.option("--no-validate", is_flag=True, help="Do not validate the written artifact.")
@click.option("--dry-run", is_flag=True, help="Show files, inputs, dims and options; write nothing.")
@comparison_options
@quiet_option
@json_option
@print_warnings
def export(
    model: str,
    out: str,
    task: str | None,
    settings: tuple[Any, ...],
    format_: str | None,
    layout: str | None,
    force: bool,
    no_validate: bool,
    dry_run: bool,
    quiet: bool,
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
    from dummyio.exporting.preview.plan_export import plan_export  # noqa: PLC0415 - lazy: only for exports
    from dummyio.running.load_model import load_model  # noqa: PLC0415 - lazy: only for exports

    check_reports(choices["reports"], force=force)
    options = collect_settings(settings, export_model)
    if layout:
        options["layout"] = layout
    check_target(out, format_, force=force, weights=options.get("weights"))  # before the model is loaded
    with show_stages(quiet=quiet or as_json):
        with report_stage("load", model):
            loaded, description = load_model(model, task, trust=choices["trust"])
        if dry_run:
            plan = plan_export(loaded, out, task, format=format_, force=force, **options)
            _print_plan(plan, description, () if no_validate else choices["reports"], as_json)
            return 0
        artifact = export_model(loaded, out, task, format=format_, force=force, **options)
        if not as_json:
            print_lines(open_console(), [f"model: {description}", *(f"note: {note}" for note in artifact.notes)])
        written: list[str | Path] = [*artifact.files]
        reports: dict[str, Report] = {}
        try:
            if options.get("weights", True) is not False and not no_validate:
                _validate_parts(artifact, loaded, as_json, choices, reports, written)
        finally:  # a validation that is not possible leaves what was written, too
            if not as_json:
                print_written(written)
    if as_json:
        click.echo(json.dumps(_summary(artifact, reports, written), indent=2))
    return 0 if all(report.ok for report in reports.values()) else 1


def _validate_parts(
    artifact: Artifact,
    model: Any,
    as_json: bool,
    choices: dict[str, Any],
    found: dict[str, Report],
    written: list[str | Path],
) -> None:
    """Validate each file of the artifact against the model that it comes from; add file → report, and what was written."""
    paths = choices.pop("reports")
    parts = artifact.components or {artifact.path.name: artifact.spec}
    choices["trust"] = True  # these files have just been written from a model that is loaded
    for name, spec in parts.items():
        reference = (artifact.references or {}).get(name, model)
        path = artifact.path / name if artifact.components else artifact.path
        report = validate_and_save(path, reference, paths if len(parts) == 1 else (), as_json, spec=spec, **choices)
        found[name] = report
        written += report.failing
    if len(parts) > 1 and paths:
        from dummyio.validation.validate_parts import join_reports  # noqa: PLC0415 - lazy: only for several files

        save_reports(join_reports(found, artifact.path, type(model).__name__), paths)
    written += paths


def _summary(artifact: Artifact, reports: dict[str, Report], written: list[str | Path]) -> dict[str, Any]:
    return {
        "format": artifact.format,
        "sha256": artifact.spec.sha256,
        "files": [str(file) for file in artifact.files],
        "sizes": measure_files(written),
        "notes": list(artifact.notes),
        "validated": {name: report.ok for name, report in reports.items()},
        "errors": [finding.message for report in reports.values() for finding in report.errors],
    }


def _print_plan(plan: ExportPlan, description: str, reports: tuple[str, ...], as_json: bool) -> None:
    """Print what an export would do, without doing it."""
    rows = build_input_rows(plan.spec)
    if as_json:
        summary = {
            "dry_run": True,
            "format": plan.format,
            "path": str(plan.path),
            "sha256": plan.spec.sha256,
            "files": [*map(str, plan.files), *reports],
            "replaced": [str(file) for file, is_there in plan.files.items() if is_there],
            "inputs": rows,
            "dims": build_dim_rows(plan.spec),
            "options": dict(plan.options),
            "notes": list(plan.notes),
        }
        click.echo(json.dumps(summary, indent=2, default=str))
        return
    console = open_console()
    print_lines(console, [f"model: {description}"])
    console.print(build_input_table(plan.spec, rows, f"format {plan.format}"))
    if plan.spec.dims:
        console.print(build_dim_table(plan.spec))
    if plan.options:
        table = build_table("option", "value")
        for name, value in plan.options.items():
            add_row(table, name, str(value))
        console.print(table)
    files = [
        f"Would write {file}{' (in place of the file that is there)' if is_there else ''}"
        for file, is_there in plan.files.items()
    ]
    reported = [f"Would write {path}" for path in reports]
    print_lines(console, [*(f"note: {note}" for note in plan.notes), *files, *reported, "Nothing was written."])
