"""``dummyio validate``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dummyio.cli.comparison_options import check_reports, comparison_options, print_written, validate_and_save
from dummyio.cli.shared_options import (
    EPILOG,
    collect_file_options,
    collect_settings,
    custom_ops_option,
    json_option,
    print_warnings,
    quiet_option,
    refuse_empty,
    set_option,
    signature_option,
    task_option,
)
from dummyio.cli.tables import show_stages
from dummyio.exporting.stages import report_stage

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec


@click.command(epilog=EPILOG)
@click.argument("actual", type=click.Path(), callback=refuse_empty)
@click.option("--reference", callback=refuse_empty, help="The exported model: as MODEL of export, or another artifact.")
@task_option
@set_option
@signature_option
@custom_ops_option
@click.option(
    "--spec",
    "spec_path",
    type=click.Path(exists=True, dir_okay=False),
    help="The inputs, as a spec: saved, or written as .yaml.",
)
@click.option("--engine", callback=refuse_empty, help="Another runtime than the default, such as reference for ONNX.")
@click.option(
    "--match",
    type=click.Choice(["name", "position"]),
    default="name",
    show_default=True,
    help="How outputs are paired.",
)
@click.option("--strict", is_flag=True, help="Fail if the artifact gives a result for inputs that must be refused.")
@click.option("--force", is_flag=True, help="Replace a file at the path of a report that is not a report.")
@comparison_options
@quiet_option
@json_option
@print_warnings
def validate(
    actual: str,
    reference: str | None,
    task: str | None,
    settings: tuple[Any, ...],
    signature: str | None,
    custom_ops: tuple[str, ...],
    spec_path: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
    reports: tuple[str, ...],
    **choices: Any,
) -> int:
    """Compare the artifact ACTUAL with its reference at many sizes, values and masks."""
    from dummyio.running.load_model import load_model  # noqa: PLC0415 - lazy: only for validations
    from dummyio.validation import validate as validate_model  # noqa: PLC0415 - lazy: only for validations

    check_reports(reports, force=force)
    choices |= collect_settings(settings, validate_model, ["relations", "signature", "custom_ops"])
    choices |= collect_file_options(signature, custom_ops)
    spec = None if spec_path is None else _load_spec(spec_path)
    with show_stages(quiet=quiet or as_json):
        model = None
        if reference is not None:
            with report_stage("load", reference):
                model = load_model(reference, task, trust=choices["trust"])[0]
        report = validate_and_save(Path(actual), model, reports, as_json, spec=spec, task=task, **choices)
    if as_json:
        click.echo(report.to_json().decode())
    else:
        print_written([*reports, *report.failing])
    return 0 if report.ok else 1


def _load_spec(path: str) -> InputSpec:
    from dummyio.input_spec import InputSpec  # noqa: PLC0415 - lazy: only for validations
    from dummyio.sources.written.spec_file import SUFFIXES, describe_file  # noqa: PLC0415 - lazy: the same

    return describe_file(Path(path)) if path.endswith(SUFFIXES) else InputSpec.load(path)
