"""ONNX files, written by jax2onnx.

jax2onnx takes and names a flat list of inputs. Its intermediate shapes are not always right: it has declared the size of
one operand as the size of a concatenation. They are removed, so that the runtime infers them; the shapes of the outputs
are set to those that JAX computes, and the values are compared with the model's at several sizes.
"""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, cast

import jax
import jax.numpy as jnp
from msgspec import Meta

from dummyio.errors import ExportError, NotInstalledError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.process_state import hold_process_state, silence_thread, undo_at_end
from dummyio.spec.dims import Size, evaluate_size, is_static
from dummyio.spec.dtypes import DType
from dummyio.typing import StaticDims
from dummyio_jax.exporting.export_job import ExportJob, prepare_export, raise_export_error
from dummyio_jax.exporting.plain_operations import trace_operations

_LARGEST = 1 << 31


def export_onnx(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    opset: Annotated[int, Meta(ge=17, le=23)] = 21,
    static: StaticDims = None,
) -> ExportResult:
    """Write an ONNX file whose inputs have the spec's paths as names, and the spec's symbols.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.export`.
    opset
        17 to 23.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    """
    job = prepare_export(model, spec, static)
    try:
        return _write(job, path, opset, by_operations=False)
    except NotInstalledError:
        raise
    except ExportError as error:
        try:
            return _write(job, path, opset, by_operations=True)
        except ExportError:
            raise error from error.__cause__


def _write(job: ExportJob, path: Path, opset: int, *, by_operations: bool) -> ExportResult:
    """Convert, write and check; `by_operations` as in `dummyio_jax.exporting.plain_operations`."""
    with report_stage("write", path.name):
        proto = _convert(job, opset, by_operations=by_operations)
    _declare_spec(proto, job, opset)
    if proto.ByteSize() >= _LARGEST:
        raise ExportError("the model is larger than 2 GiB, the limit of an ONNX file without external data.")
    path.write_bytes(proto.SerializeToString(deterministic=True))
    with raise_export_error(f"jax2onnx {version('jax2onnx')} wrote an invalid file"):
        import onnx  # noqa: PLC0415 - lazy: installed with jax2onnx

        onnx.checker.check_model(str(path), full_check=True)
    return job.finish(path)


def _convert(job: ExportJob, opset: int, *, by_operations: bool) -> Any:
    try:
        import jax2onnx  # noqa: PLC0415 - lazy: needs jax2onnx, which imports Flax
    except ImportError as error:
        raise NotInstalledError(
            f"ONNX export needs jax2onnx, which cannot be imported ({error}). Install it: pip install 'dummyio[jax2onnx]'"
        ) from error

    def function(*leaves: Any) -> tuple[Any, ...]:
        kinds = {(str(leaf.shape), leaf.dtype) for leaf in leaves}
        results = job.call_flat(leaves).values()
        # One that may be an input itself is copied: jax2onnx has no two names for one value.
        return tuple(jnp.copy(each) if (str(each.shape), each.dtype) in kinds else each for each in results)

    failure = f"jax2onnx {version('jax2onnx')} cannot convert {job.model.name}"
    shapes, converted = list(job.abstract().values()), cast("Callable[..., Any]", function)
    if by_operations:
        with raise_export_error(failure), job.enable_wide_dtypes():
            converted = trace_operations(function, shapes)
    with raise_export_error(failure), _restored_process_state(), job.enable_wide_dtypes():
        return jax2onnx.to_onnx(
            converted,
            shapes,
            model_name=job.model.name,
            opset=opset,
            enable_double_precision=any(leaf.dtype in (DType.FLOAT64, DType.COMPLEX128) for _, leaf in job.spec.leaves),
            input_names=job.paths,
            output_names=job.outputs,
        )


@contextmanager
def _restored_process_state() -> Generator[None]:
    """Undo what jax2onnx changes in the whole process, and silence warnings about intermediate shapes."""
    with hold_process_state():
        wide, functions = jax.config.read("jax_enable_x64"), dict(vars(jnp))

        def restore() -> None:
            # jax2onnx restores the precision that it found, which is the one that this export had set, and leaves a
            # `jnp.cumsum` behind that takes no positional axis.
            jax.config.update("jax_enable_x64", wide)
            jnp.__dict__.update(functions)

        with undo_at_end(restore), silence_thread(("onnx_ir",)):
            yield


def _declare_spec(proto: Any, job: ExportJob, opset: int) -> None:
    """Give inputs and outputs the spec's symbols; raise `ExportError` if names, order or opset are not the requested ones."""
    graph = proto.graph
    inputs, outputs = [value.name for value in graph.input], [value.name for value in graph.output]
    if set(inputs) != set(job.paths) or outputs != job.outputs:
        raise ExportError(
            f"jax2onnx wrote the inputs {', '.join(inputs)} and outputs {', '.join(outputs)}, not {', '.join(job.paths)} "
            f"and {', '.join(job.outputs)}."
        )
    written = next((entry.version for entry in proto.opset_import if not entry.domain), None)
    if written != opset:
        raise ExportError(f"jax2onnx wrote operators of opset {written}, not {opset}.")
    # The runtime shares one buffer between sizes of one symbol: wrong intermediate shapes are worse than none.
    del graph.value_info[:]
    leaves = dict(job.spec.leaves)
    for value in graph.input:
        _set_shape(value, leaves[value.name].shape)
    for value, output in zip(graph.output, job.spec.outputs, strict=True):
        if output.shape is not None:
            _set_shape(value, output.shape)


def _set_shape(value: Any, shape: tuple[Size, ...]) -> None:
    axes = value.type.tensor_type.shape.dim
    if len(axes) != len(shape):
        raise ExportError(f"jax2onnx wrote {value.name!r} with {len(axes)} axes, not {len(shape)}.")
    for axis, size in zip(axes, shape, strict=True):
        axis.Clear()
        if is_static(size):
            axis.dim_value = evaluate_size(size)
        else:
            axis.dim_param = str(size)
