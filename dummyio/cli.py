"""The command line: ``dummyio describe``, ``dummyio generate``, ``dummyio backends``.

Exit codes: 0, it was done; 1, a validation found a mismatch; 2, it could not be done (wrong usage, bad input, a framework
that is missing, output that cannot be written). Only this module prints, and only here do errors become a line of text.
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

import click

import dummyio
from dummyio.errors import DummyioError, OptionError
from dummyio.rule_text import rule_text

if TYPE_CHECKING:
    import numpy as np
    from rich.console import Console
    from rich.table import Table

    from dummyio.spec import InputSpec

__all__ = ["main"]

_EPILOG = "Exit codes: 0 done, 1 a validation found a mismatch, 2 could not be done."
_LONG = 256 << 20
"""Bytes from which on a progress bar is worth its lines."""


class _Setting(click.ParamType[tuple[str, Any]]):
    """``name=value``: an int, two ints for a range, or a word."""

    name = "name=value"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, Any]:
        """Split at the first ``=``."""
        key, sign, text = str(value).partition("=")
        if not sign or not key:
            self.fail(f"{value!r}: write name=value, such as batch_size=4.", param, ctx)
        return key.strip().replace("-", "_"), _parsed(text.strip())


def _parsed(text: str) -> Any:
    parts = [part.strip() for part in text.split(",")]
    if all(part.lstrip("-").isdecimal() for part in parts):
        numbers = [int(part) for part in parts]
        return numbers[0] if len(numbers) == 1 else tuple(numbers)
    return text


def _settings(settings: tuple[tuple[str, Any], ...]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in settings:
        if key in found:
            raise OptionError(f"--set {key}={value}: {key} is set twice.")
        found[key] = value
    return found


def _fails_cleanly(command: Callable[..., None]) -> Callable[..., None]:
    """Turn dummyio's errors into a line and exit code 2, and warnings into lines."""

    @wraps(command)
    def wrapped(*args: Any, **kwargs: Any) -> None:
        try:
            with warnings.catch_warnings(record=True) as caught:
                warnings.simplefilter("always", UserWarning)
                command(*args, **kwargs)
            for warning in caught:
                if issubclass(warning.category, UserWarning):
                    click.echo(f"warning: {warning.message}", err=True)
        except DummyioError as error:
            click.echo(f"error: {error}", err=True)
            sys.exit(2)

    return wrapped


@click.group(epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(dummyio.__version__, prog_name="dummyio")
def main() -> None:
    """Describe a model's inputs once; make them in any framework, with the same values."""


_source = click.argument("source", type=click.Path())
_task = click.option("--task", help="The task, such as text-classification or text-generation-with-past.")
_set = click.option(
    "--set",
    "settings",
    type=_Setting(),
    multiple=True,
    help="A size or an option: batch_size=4, padding_side=left. Repeat.",
)
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON, for machines.")


@main.command(epilog=_EPILOG)
@_source
@_task
@_set
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the spec to this file.")
@_json
@_fails_cleanly
def describe(source: str, task: str | None, settings: tuple[Any, ...], output: str | None, as_json: bool) -> None:
    """Describe the inputs of SOURCE: a config.json or its folder, an .onnx file, a saved spec."""
    spec = dummyio.describe(source, task, **_settings(settings))
    if output:
        spec.save(output)
    if as_json:
        click.echo(json.dumps({"sha256": spec.sha256, **json.loads(spec.to_json())}, indent=2))
        return
    console = _console()
    console.print(_input_table(spec))
    if spec.dims:
        console.print(_dim_table(spec))
    _print_provenance(console, spec)
    if output:
        console.print(f"Wrote {output}", markup=False, highlight=False)


@main.command(epilog=_EPILOG)
@_source
@_task
@_set
@click.option(
    "-f", "--framework", default="np", show_default=True, help="np, pt, tf, jax, ort, or another backend's name."
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which values.")
@click.option("--samples", type=click.IntRange(min=1), default=1, show_default=True, help="How many samples.")
@click.option(
    "-o", "--output", type=click.Path(), help="Write to inputs.npz, inputs.safetensors, or a folder (.npy files)."
)
@click.option(
    "--format", "format_", help="The output's format where its name does not say: npz, npy, safetensors, onnx."
)
@click.option("--force", is_flag=True, help="Replace a folder that exists.")
@_json
@_fails_cleanly
def generate(
    source: str,
    task: str | None,
    settings: tuple[Any, ...],
    framework: str,
    seed: int,
    samples: int,
    output: str | None,
    format_: str | None,
    force: bool,
    as_json: bool,
) -> None:
    """Make inputs of SOURCE, show them, and write them to a file."""
    backend = dummyio.load_backend(framework)
    spec = dummyio.describe(source, task, **_settings(settings))
    rows = _rows(spec, backend, seed)
    written: list[str] = []
    if output:
        from dummyio.feeds import save_samples  # noqa: PLC0415 - only where something is written

        with _progress(spec, samples, as_json) as advance:
            paths = save_samples(
                spec, output, format=format_, seed=seed, samples=samples, force=force, progress=advance
            )
        written = [str(path) for path in paths]
    if as_json:
        click.echo(json.dumps({"sha256": spec.sha256, "seed": seed, "inputs": rows, "files": written}, indent=2))
        return
    console = _console()
    console.print(_value_table(spec, rows, framework, seed))
    _print_provenance(console, spec)
    for path in written:
        console.print(f"Wrote {path}", markup=False, highlight=False)


@main.command(epilog=_EPILOG)
@_json
@_fails_cleanly
def backends(as_json: bool) -> None:
    """List the backends, and whether their frameworks are installed."""
    rows = [_backend_row(name) for name in dummyio.available_backends()]
    if as_json:
        click.echo(json.dumps(rows, indent=2))
        return
    table = _table("framework", "state", "dtypes")
    for row in rows:
        table.add_row(row["name"], row["state"], str(row["dtypes"] or ""))
    _console().print(table)


def _backend_row(name: str) -> dict[str, Any]:
    try:
        backend = dummyio.load_backend(name)
    except DummyioError as error:
        return {"name": name, "installed": False, "state": str(error), "dtypes": 0}
    return {"name": name, "installed": True, "state": "installed", "dtypes": len(backend.dtypes)}


# Tables.


def _console() -> Console:
    from rich.console import Console  # noqa: PLC0415 - not needed for --json

    console = Console()
    # Into a file or a pipe, rows are not cut at a terminal's width that is not there.
    return console if console.is_terminal else Console(width=200)


def _table(*columns: str, title: str | None = None) -> Table:
    from rich import box  # noqa: PLC0415 - as above
    from rich.table import Table  # noqa: PLC0415 - as above

    table = Table(title=title, title_justify="left", box=box.SIMPLE, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _input_table(spec: InputSpec) -> Table:
    table = _table("input", "shape", "size", "dtype", "holds", title=f"task {spec.task}" if spec.task else None)
    for path, leaf in spec.leaves:
        table.add_row(path, _shape(leaf.shape), _shape(leaf.sizes()), str(leaf.dtype), rule_text(leaf.values))
    return table


def _dim_table(spec: InputSpec) -> Table:
    table = _table("dim", "size", "min", "max", "multiple of")
    for dim in spec.dims.values():
        row = (dim.size, dim.min, "" if dim.max is None else dim.max, "" if dim.multiple_of == 1 else dim.multiple_of)
        table.add_row(dim.name, *map(str, row))
    return table


def _value_table(spec: InputSpec, rows: list[dict[str, Any]], framework: str, seed: int) -> Table:
    title = f"{f'task {spec.task}, ' if spec.task else ''}framework {framework}, seed {seed}"
    table = _table("input", "shape", "size", "dtype", "holds", "smallest", "largest", title=title)
    for row in rows:
        ends = ("" if row[end] is None else str(row[end]) for end in ("smallest", "largest"))
        table.add_row(row["name"], _shape(row["shape"]), _shape(row["size"]), row["dtype"], row["holds"], *ends)
    return table


def _shape(shape: Any) -> str:
    return f"\\[{', '.join(map(str, shape))}]"  # a bracket that rich does not take for markup


def _print_provenance(console: Console, spec: InputSpec) -> None:
    for key, value in spec.provenance.items():
        console.print(f"{key}: {value}", markup=False, highlight=False, soft_wrap=True)


# Values.


def _rows(spec: InputSpec, backend: Any, seed: int) -> list[dict[str, Any]]:
    """Return a row for each input, its smallest and largest value read back from the framework's own tensors."""
    from dummyio.materialize import feeds  # noqa: PLC0415 - describing alone does not need it

    rows = []
    for (path, leaf), values in zip(spec.leaves, feeds(spec, seed, 0, {}).values(), strict=True):
        low, high = _ends(backend.to_numpy(backend.from_numpy(values, leaf.dtype)))
        rows.append(
            {
                "name": path,
                "shape": [size if isinstance(size, int) else str(size) for size in leaf.shape],
                "size": list(values.shape),
                "dtype": str(leaf.dtype),
                "holds": rule_text(leaf.values),
                "smallest": low,
                "largest": high,
            }
        )
    return rows


def _ends(values: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the smallest and largest value as plain numbers; None where there is no order or no value."""
    if values.size == 0 or values.dtype.kind in "Oc":
        return None, None
    if values.dtype.kind == "b":
        return bool(values.min()), bool(values.max())
    if values.dtype.kind in "iu":
        return int(values.min()), int(values.max())
    numbers = values if values.dtype.kind == "f" else values.astype("float32")
    low, high = (float(f"{float(end):.6g}") for end in (numbers.min(), numbers.max()))
    return low, high


@contextmanager
def _progress(spec: InputSpec, samples: int, quiet: bool) -> Generator[Callable[[], None] | None]:
    """Show a bar over samples on a terminal, where writing takes long; yields what to call after each."""
    if quiet or not sys.stderr.isatty() or (spec.nbytes() * samples < _LONG and samples < 1000):
        yield None
        return
    from rich.console import Console  # noqa: PLC0415 - only where it shows
    from rich.progress import Progress  # noqa: PLC0415 - as above

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("writing", total=samples)
        yield lambda: bar.advance(task)


if __name__ == "__main__":
    main()
