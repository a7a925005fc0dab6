"""``dummyio generate``."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

import dummyio
from dummyio.cli.shared_options import (
    EPILOG,
    chosen,
    fails_cleanly,
    json_option,
    set_option,
    source_argument,
    task_option,
)
from dummyio.cli.tables import console, held, print_provenance, value_table

if TYPE_CHECKING:
    import numpy as np

    from dummyio.input_spec import InputSpec

__all__ = ["generate"]

_LONG = 256 << 20
"""Bytes from which on a progress bar is worth its lines."""


@click.command(epilog=EPILOG)
@source_argument
@task_option
@set_option
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
@json_option
@fails_cleanly
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
    spec = dummyio.describe(source, task, **chosen(settings))
    rows = _rows(spec, backend, seed)
    written: list[str] = []
    if output:
        from dummyio.feeds.save_load import save_samples  # noqa: PLC0415 - only where something is written

        with _progress(spec, samples, as_json) as advance:
            paths = save_samples(
                spec, output, format=format_, seed=seed, samples=samples, force=force, progress=advance
            )
        written = [str(path) for path in paths]
    if as_json:
        click.echo(json.dumps({"sha256": spec.sha256, "seed": seed, "inputs": rows, "files": written}, indent=2))
        return
    screen = console()
    screen.print(value_table(spec, rows, framework, seed))
    print_provenance(screen, spec)
    for path in written:
        screen.print(f"Wrote {path}", markup=False, highlight=False)


def _rows(spec: InputSpec, backend: Any, seed: int) -> list[dict[str, Any]]:
    """Return a row for each input, its smallest and largest value read back from the framework's own tensors."""
    from dummyio.materialize.generate import feeds  # noqa: PLC0415 - describing alone does not need it

    rows = []
    for (path, leaf), values in zip(spec.leaves, feeds(spec, seed, 0, {}).values(), strict=True):
        low, high = _ends(backend.to_numpy(backend.from_numpy(values, leaf.dtype)))
        rows.append(
            {
                "name": path,
                "shape": [size if isinstance(size, int) else str(size) for size in leaf.shape],
                "size": list(values.shape),
                "dtype": str(leaf.dtype),
                "holds": held(spec, leaf),
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
