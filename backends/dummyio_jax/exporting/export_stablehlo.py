"""StableHLO files, as `jax.export` serializes them, with inputs by name and the symbols of the spec."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import jax
import jax.export

from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_jax.calling.pytrees import to_builtin_containers
from dummyio_jax.exporting.export_job import ExportJob, prepare_export, raise_export_error
from dummyio_jax.running.function_runner import ExportedRunner

Platform = Literal["cpu", "cuda", "rocm", "tpu"]


def export_stablehlo(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    platforms: Sequence[Platform] | Platform | None = None,
    static: StaticDims = None,
) -> ExportResult:
    """Write a file for ``jax.export.deserialize(path.read_bytes())``, to be called with nested inputs by name.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.export`.
    platforms
        The platforms to run on, such as ``("cpu", "cuda", "tpu")``; by default the one that JAX uses here.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    """
    job = prepare_export(model, spec, static)
    wanted = (platforms,) if isinstance(platforms, str) else None if platforms is None else tuple(platforms)
    with report_stage("write", path.name):
        exported = _export_function(job, wanted)
    with raise_export_error("JAX cannot serialize the exported function"):
        path.write_bytes(bytes(exported.serialize()))
    can_run = wanted is None or jax.default_backend() in wanted
    if not can_run:
        job = replace(job, notes=(*job.notes, f"It was not run: JAX runs on {jax.default_backend()} here."))
    return job.finish(
        path,
        can_run=can_run,
        ordered=False,
        opener=lambda file, own: ExportedRunner(_read_back(file), own, is_quick=True),
    )


def _read_back(path: Path) -> jax.export.Exported:
    """Read a file that this process wrote: its module needs no look from a process of its own, as one of unknown origin does."""
    return jax.export.deserialize(bytearray(path.read_bytes()))


def _export_function(job: ExportJob, platforms: tuple[str, ...] | None) -> jax.export.Exported:
    """Export the model with built-in containers, since registered ones can be read only where they are registered too."""

    def function(**inputs: Any) -> Any:
        return to_builtin_containers(job.model(job.nest(job.flatten(inputs))))

    function.__name__ = job.model.name if job.model.name.isidentifier() else "function"
    with raise_export_error(f"jax.export cannot export {job.model.name}"), job.enable_wide_dtypes():
        inputs = to_builtin_containers(job.spec.abstract("jax"))
        return jax.export.export(jax.jit(function), platforms=platforms)(**inputs)
