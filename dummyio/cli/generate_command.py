"""``dummyio generate``."""

from __future__ import annotations

import json
from itertools import count
from typing import TYPE_CHECKING, Any

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
    quiet_option,
    refuse_empty,
    seed_option,
    set_option,
    signature_option,
    task_option,
)
from dummyio.cli.tables import (
    build_input_rows,
    build_input_table,
    list_provenance,
    open_console,
    print_lines,
    show_stages,
)
from dummyio.exporting.stages import report_stage

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec
    from dummyio.typing import Array

_LONG_BYTES, _LONG_SAMPLES = 256 << 20, 1000
"""Below these, writing is too short for a line of progress."""


@click.command(epilog=EPILOG)
@optional_source_argument
@input_option
@task_option
@set_option
@signature_option
@custom_ops_option
@click.option(
    "-f",
    "--framework",
    default="np",
    show_default=True,
    callback=refuse_empty,
    help="np, pt, tf, jax, ort, or the name of another backend.",
)
@seed_option
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="The number of samples.")
@click.option(
    "-o", "--output", type=click.Path(), help="Write to inputs.npz, inputs.safetensors, or a folder (.npy files)."
)
@click.option(
    "--format", "format_", help="The format of the output: npz, npy, safetensors, onnx. By default from its suffix."
)
@click.option("--force", is_flag=True, help="Replace existing files and folders.")
@quiet_option
@json_option
@print_warnings
def generate(
    source: str | None,
    inputs: tuple[str, ...],
    task: str | None,
    settings: tuple[Any, ...],
    signature: str | None,
    custom_ops: tuple[str, ...],
    framework: str,
    seed: int,
    samples: int,
    output: str | None,
    format_: str | None,
    force: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Generate inputs of SOURCE, or those that --input writes, show them, and write them to a file."""
    if output is not None:
        from dummyio.feeds.save_load import check_output  # noqa: PLC0415 - lazy: only for --output

        check_output(output, format=format_, samples=samples, force=force)  # before the work
    backend = dummyio.load_backend(framework)
    options = collect_settings(settings, dummyio.describe) | collect_file_options(signature, custom_ops)
    spec = describe_asked(source, inputs, task, **options)
    rows = _input_rows_with_range(spec, backend, seed)
    written: list[str] = []
    if output is not None:
        from dummyio.feeds.save_load import save_samples  # noqa: PLC0415 - lazy: only for --output

        short = spec.nbytes() * samples < _LONG_BYTES and samples < _LONG_SAMPLES
        with show_stages(quiet=quiet or as_json or short), report_stage("write", output) as report_step:
            done = count(1)
            paths = save_samples(
                spec,
                output,
                format=format_,
                seed=seed,
                samples=samples,
                force=force,
                progress=lambda: report_step(f"sample {next(done)} of {samples}"),
            )
        written = [str(path) for path in paths]
    if as_json:
        click.echo(json.dumps({"sha256": spec.sha256, "seed": seed, "inputs": rows, "files": written}, indent=2))
        return
    console = open_console()
    console.print(build_input_table(spec, rows, f"framework {framework}", f"seed {seed}"))
    print_lines(console, [*list_provenance(spec), *(f"Wrote {path}" for path in written)])


def _input_rows_with_range(spec: InputSpec, backend: Any, seed: int) -> list[dict[str, Any]]:
    """Return the rows with the smallest and largest value of each input, read from the tensors of the framework."""
    rows = build_input_rows(spec)
    for row, (path, values) in zip(rows, spec.feeds(seed=seed).items(), strict=True):
        tensor = backend.from_numpy(values, dict(spec.leaves)[path].dtype)
        row["smallest"], row["largest"] = _value_range(backend.to_numpy(tensor))
    return rows


def _value_range(values: Array) -> tuple[Any, Any]:
    """Return the smallest and largest value as Python numbers; None if the values have no order, or there are none."""
    if values.size == 0 or values.dtype.kind in "Oc":
        return None, None
    if values.dtype.kind in "biu":
        return values.min().item(), values.max().item()
    numbers = values.astype("float64")
    low, high = (float(f"{end:.6g}") for end in (numbers.min(), numbers.max()))
    return low, high
