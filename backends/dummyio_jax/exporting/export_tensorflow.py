"""SavedModels and TFLite files: jax2tf makes a TensorFlow function, and the TensorFlow backend writes it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta

from dummyio.backend.registry import load_backend
from dummyio.errors import NotInstalledError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import COARSE_TOLERANCE, TOLERANCE
from dummyio.input_spec import InputSpec
from dummyio.typing import Buckets, StaticDims
from dummyio_jax.exporting.export_job import ExportJob, prepare_export, raise_export_error
from dummyio_jax.exporting.plain_operations import replace_operations
from dummyio_jax.signature import iterate_constraints


def export_saved_model(
    model: Any, spec: InputSpec, path: Path, *, static: StaticDims = None, buckets: Buckets = None
) -> ExportResult:
    """Write a SavedModel.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.export`.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    buckets
        One dim and its sizes, each of which becomes a signature.
    """
    return _write("saved_model", prepare_export(model, spec, static), path, {"buckets": buckets}, TOLERANCE)


def export_tflite(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    quantize: Literal["float16", "fp16", "dynamic", "int8", "int16x8"] | None = None,
    calibration_samples: Annotated[int, Meta(ge=1)] = 32,
    static: StaticDims = None,
    buckets: Buckets = None,
) -> ExportResult:
    """Write a TFLite file; the options are those of the TensorFlow backend's exporter of this format."""
    options = {"quantize": quantize, "calibration_samples": calibration_samples, "buckets": buckets}
    tolerance = TOLERANCE if quantize is None else COARSE_TOLERANCE
    return _write("tflite", prepare_export(model, spec, static), path, options, tolerance)


def _write(kind: str, job: ExportJob, path: Path, options: Mapping[str, Any], tolerance: float) -> ExportResult:
    backend: Any = load_backend("tf")
    with raise_export_error(f"{job.model.name} cannot be converted by TensorFlow"):
        written: ExportResult = backend.exporters[kind](_convert(job), job.spec, path, **options)
    job = replace(job, spec=written.spec, notes=(*job.notes, *written.notes))
    return job.finish(path, ordered=False, tolerance=tolerance)


def _convert(job: ExportJob) -> Callable[..., dict[str, Any]]:
    """Return the model as a function of TensorFlow tensors, whose axes may be dynamic wherever the spec's are."""
    try:
        import tensorflow as tf  # noqa: PLC0415 - lazy: needs tensorflow
        from jax.experimental import jax2tf  # noqa: PLC0415 - lazy: needs tensorflow
    except ImportError as error:
        raise NotInstalledError(
            f"this format needs TensorFlow, which cannot be imported ({error}). Install it: "
            "pip install 'dummyio[jax,tensorflow]'"
        ) from error
    symbolic = [leaf.shape for leaf in job.abstract().values()]

    def function(**inputs: Any) -> dict[str, Any]:
        leaves = job.flatten(inputs)
        tensors = [tf.convert_to_tensor(leaves[path]) for path in job.paths]
        shapes = [
            ", ".join(str(size if known is None else known) for known, size in zip(tensor.shape, shape, strict=True))
            for tensor, shape in zip(tensors, symbolic, strict=True)
        ]
        dynamic = [job.spec.dims[name] for name in set(re.findall(r"\w+", " ".join(shapes))) if name in job.spec.dims]
        with job.enable_wide_dtypes():
            results = jax2tf.convert(
                lambda *leaves: replace_operations(lambda *own: job.call_flat(own), leaves),
                polymorphic_shapes=[
                    f"({text})" if text else "()" for text in shapes
                ],  # a bare "" is not a scalar's shape
                polymorphic_constraints=[bound for dim in dynamic for bound in iterate_constraints(dim)],
                with_gradient=False,
            )(*tensors)
        return {name: results[name] for name in job.outputs}  # JAX sorts the keys of dicts

    function.is_compared_by_caller = True  # type: ignore[attr-defined] # with the JAX model itself
    return function
