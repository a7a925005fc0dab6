"""StableHLO files: what `jax.export` serializes, with the inputs by name and the symbols of the spec."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import jax.export

from dummyio.errors import ExportError, SourceError
from dummyio.exporting.artifact import ExportResult
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_jax.calling.exported_function import open_exported
from dummyio_jax.calling.pytrees import to_builtin_containers
from dummyio_jax.exporting.export_job import ExportJob, format_error_line, prepare
from dummyio_jax.precision import enable_wide_dtypes
from dummyio_jax.running.function_runner import ExportedRunner

__all__ = ["export_stablehlo"]


def export_stablehlo(
    model: Any, spec: InputSpec, path: Path, *, platforms: Sequence[str] | str | None = None, static: StaticDims = None
) -> ExportResult:
    """Write what ``jax.export.deserialize(path.read_bytes())`` reads, to be called with the inputs by name, nested as they are.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    platforms
        What it shall run on, such as ``("cpu", "cuda", "tpu")``; what JAX runs on here, where not given.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    """
    job = prepare(model, spec, static)
    wanted = (platforms,) if isinstance(platforms, str) else None if platforms is None else tuple(platforms)
    exported = _exported(job, wanted)
    try:
        path.write_bytes(bytes(exported.serialize()))
    except (ValueError, TypeError, ImportError) as error:
        raise ExportError(f"JAX cannot write what it exported: {format_error_line(error)}") from error
    try:
        runner = ExportedRunner(open_exported(path), job.spec)
    except SourceError as error:
        raise ExportError(f"JAX does not read what it wrote: {error}") from error
    if wanted is None or jax.default_backend() in wanted:
        job.check(runner)
    else:
        job = ExportJob(job.model, job.spec, (*job.notes, f"It was not run: JAX runs on {jax.default_backend()} here."))
    return ExportResult(job.spec, job.notes)


def _exported(job: ExportJob, platforms: tuple[str, ...] | None) -> jax.export.Exported:
    """Export with containers that every reader knows: a registered one could be read only where it is registered too."""
    paths = job.plain_paths()

    def function(**inputs: Any) -> Any:
        leaves = dict(zip(paths, jax.tree.leaves(inputs), strict=True))
        return to_builtin_containers(job.model(job.nested(leaves)))

    function.__name__ = job.model.name if job.model.name.isidentifier() else "function"
    try:
        with enable_wide_dtypes(leaf.dtype for _, leaf in job.spec.leaves):
            return jax.export.export(jax.jit(function), platforms=platforms)(
                **to_builtin_containers(job.spec.abstract("jax"))
            )
    except Exception as error:
        raise ExportError(f"jax.export refuses {job.model.name}. {format_error_line(error)}") from error
