"""SavedModels and TFLite files, by way of jax2tf: what it makes is a function of TensorFlow's, which that backend writes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import jax

from dummyio.backend.registry import load_backend
from dummyio.errors import DummyioError, ExportError, NotInstalledError
from dummyio.exporting.artifact import ExportResult
from dummyio.input_spec import InputSpec
from dummyio.running.runner import open_runner
from dummyio.typing import Buckets, StaticDims
from dummyio_jax.calling.pytrees import to_builtin_containers
from dummyio_jax.exporting.export_job import ExportJob, format_error_line, prepare
from dummyio_jax.precision import enable_wide_dtypes

__all__ = ["export_saved_model", "export_tflite"]


def export_saved_model(
    model: Any, spec: InputSpec, path: Path, *, static: StaticDims = None, buckets: Buckets = None
) -> ExportResult:
    """Write a SavedModel.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    buckets
        One dim and its sizes, each of which becomes a signature.
    """
    return _written("saved_model", prepare(model, spec, static), path, {"buckets": buckets})


def export_tflite(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    quantize: Literal["float16", "dynamic", "int8"] | None = None,
    calibration_samples: int = 16,
    static: StaticDims = None,
    buckets: Buckets = None,
) -> ExportResult:
    """Write a TFLite file; the options are those of TensorFlow's exporter of this format."""
    options = {"quantize": quantize, "calibration_samples": calibration_samples, "buckets": buckets}
    return _written("tflite", prepare(model, spec, static), path, options, coarse=quantize is not None)


def _written(
    kind: str, job: ExportJob, path: Path, options: Mapping[str, Any], *, coarse: bool = False
) -> ExportResult:
    backend: Any = load_backend("tf")
    try:
        written: ExportResult = backend.exporters[kind](_function(job), job.spec, path, **options)
    except DummyioError:
        raise
    except Exception as error:
        raise ExportError(
            f"{job.model.name} cannot be written by way of TensorFlow. {format_error_line(error)}"
        ) from error
    done = ExportJob(job.model, written.spec, (*job.notes, *written.notes))
    # TensorFlow's exporter has compared the names with its function; this compares the numbers with the model itself.
    done.check_results(open_runner(path, written.spec), coarse=coarse)
    return ExportResult(done.spec, done.notes)


def _function(job: ExportJob) -> Callable[..., dict[str, Any]]:
    """Return the model as a function of TensorFlow's tensors, with whatever sizes are free in these."""
    try:
        import tensorflow as tf  # noqa: PLC0415 - for this way only
        from jax.experimental import jax2tf  # noqa: PLC0415 - the same
    except ImportError as error:
        raise NotInstalledError(
            f"this format is written with TensorFlow, which cannot be imported ({error}). Install it: "
            "pip install 'dummyio[jax,tensorflow]'"
        ) from error
    symbolic = [leaf.shape for leaf in job.abstract().values()]
    bounds = job.constraints()

    def function(**inputs: Any) -> dict[str, Any]:
        leaves = dict(zip(job.plain_paths(), jax.tree.leaves(to_builtin_containers(inputs)), strict=True))
        tensors = [tf.convert_to_tensor(leaves[path]) for path in job.paths]
        shapes = [
            ", ".join(str(size if known is None else known) for known, size in zip(tensor.shape, shape, strict=True))
            for tensor, shape in zip(tensors, symbolic, strict=True)
        ]
        free = {name for text in shapes for name in job.spec.dims if name in text}
        kept = [bound for name, bound in bounds if name in free]
        with enable_wide_dtypes(leaf.dtype for _, leaf in job.spec.leaves):
            converted = jax2tf.convert(
                lambda *leaves: job.flat(leaves),
                # A scalar's shape is written as no size at all.
                polymorphic_shapes=[f"({text})" if text else "()" for text in shapes],
                polymorphic_constraints=kept,
                with_gradient=False,
            )
            results = converted(*tensors)
        return {name: results[name] for name in job.outputs}  # in their order, which JAX's dicts do not keep

    return function
