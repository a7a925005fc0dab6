"""``dummyio describe``."""

import json
from typing import Any

import click

import dummyio
from dummyio.cli.shared_options import (
    EPILOG,
    collect_file_options,
    collect_settings,
    custom_ops_option,
    describe_asked,
    input_option,
    json_option,
    optional_source_argument,
    print_warnings,
    set_option,
    signature_option,
    task_option,
)
from dummyio.cli.tables import (
    build_dim_table,
    build_input_rows,
    build_input_table,
    list_provenance,
    open_console,
    print_lines,
)
from dummyio.sources.prove_model import LEVELS


@click.command(epilog=EPILOG)
@optional_source_argument
@input_option
@task_option
@set_option
@signature_option
@custom_ops_option
@click.option(
    "--prove",
    type=click.Choice(LEVELS),
    default="auto",
    show_default=True,
    help="Run the model on the inputs: without weights, or with values. auto runs small ONNX and TFLite files, and no configuration.",
)
@click.option("-o", "--output", type=click.Path(), help="Write the spec to this file.")
@click.option("--force", is_flag=True, help="Replace an existing file.")
@json_option
@print_warnings
def describe(
    source: str | None,
    inputs: tuple[str, ...],
    task: str | None,
    settings: tuple[Any, ...],
    signature: str | None,
    custom_ops: tuple[str, ...],
    prove: str,
    output: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Describe the inputs of SOURCE, a config.json or its folder, an .onnx file, a saved spec, or of what --input writes."""
    if output is not None:
        from dummyio.atomic_files import check_file_path  # noqa: PLC0415 - lazy: only for --output

        check_file_path(output, force=force)  # before the work
    options = collect_settings(settings, dummyio.describe) | collect_file_options(signature, custom_ops)
    spec = describe_asked(source, inputs, task, prove=prove, **options)
    if output is not None:
        from dummyio.spec.json_format import save_spec  # noqa: PLC0415 - lazy: only for --output

        save_spec(spec, output, force=force)
    if as_json:
        click.echo(json.dumps({"sha256": spec.sha256, **json.loads(spec.to_json())}, indent=2))
        return
    console = open_console()
    console.print(build_input_table(spec, build_input_rows(spec)))
    if spec.dims:
        console.print(build_dim_table(spec))
    print_lines(
        console,
        [
            *list_provenance(spec),
            *([str(spec.proof)] if source is not None else []),
            *([f"Wrote {output}"] if output is not None else []),
        ],
    )
