"""ONNX files, by jax2onnx.

It takes a flat list of inputs and names what it is told to. Sizes of its own making are not always right: it has written
the size of one operand for that of a concatenation. So the shapes between are left to the runtime to infer, those of the outputs
are set to what JAX says, and the numbers are compared with the model's at several sizes.
"""

from __future__ import annotations

import logging
from collections.abc import Generator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax

from dummyio.errors import DTypeError, ExportError, NotInstalledError, OptionError
from dummyio.exporting.artifact import ExportResult
from dummyio.input_spec import InputSpec
from dummyio.running.runner import open_runner
from dummyio.spec.dims import Size, evaluate_size, is_static
from dummyio.spec.dtypes import DType
from dummyio.typing import StaticDims
from dummyio_jax.exporting.export_job import ExportJob, format_error_line, prepare
from dummyio_jax.precision import enable_wide_dtypes

__all__ = ["export_onnx"]

_LARGEST = 1 << 31
_OPSETS = range(17, 24)


def export_onnx(model: Any, spec: InputSpec, path: Path, *, opset: int = 21, static: StaticDims = None) -> ExportResult:
    """Write an ONNX file, whose inputs have the spec's paths as names, and its symbols.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    opset
        17 to 23.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    """
    if opset not in _OPSETS:
        raise OptionError(f"opset={opset!r}: jax2onnx writes {_OPSETS.start} to {_OPSETS.stop - 1}.")
    job = prepare(model, spec, static)
    proto = _converted(job, opset)
    _check_opset(proto, opset)
    _name(proto, job)
    if proto.ByteSize() >= _LARGEST:
        raise ExportError("the model is larger than 2 GiB, which one ONNX file cannot hold on this route.")
    path.write_bytes(proto.SerializeToString(deterministic=True))
    _check_file(path, job)
    return ExportResult(job.spec, job.notes)


def _converted(job: ExportJob, opset: int) -> Any:
    try:
        import jax2onnx  # noqa: PLC0415 - for this format only; it brings Flax along
    except ImportError as error:
        raise NotInstalledError(
            f"ONNX is written with jax2onnx, which cannot be imported ({error}). Install it: pip install 'dummyio[jax2onnx]'"
        ) from error
    wide = any(leaf.dtype in (DType.FLOAT64, DType.COMPLEX128) for _, leaf in job.spec.leaves)

    def function(*leaves: Any) -> tuple[Any, ...]:
        return tuple(job.flat(leaves).values())

    try:
        with _left_alone(), enable_wide_dtypes(leaf.dtype for _, leaf in job.spec.leaves), _quiet():
            return jax2onnx.to_onnx(
                function,
                list(job.abstract().values()),
                model_name=job.model.name,
                opset=opset,
                enable_double_precision=wide,
                input_names=job.paths,
                output_names=job.outputs,
            )
    except DTypeError:
        raise
    except Exception as error:
        raise ExportError(
            f"jax2onnx {version('jax2onnx')} refuses {job.model.name}. {format_error_line(error)}"
        ) from error


@contextmanager
def _left_alone() -> Generator[None, None, None]:
    """Undo what jax2onnx sets for the whole process: it restores the precision that it met, which was this export's own."""
    before = jax.config.read("jax_enable_x64")
    try:
        yield
    finally:
        jax.config.update("jax_enable_x64", before)


@contextmanager
def _quiet() -> Generator[None, None, None]:
    """Keep back what onnx_ir logs of intermediate shapes, which are dropped anyway."""
    logger = logging.getLogger("onnx_ir")
    before = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(before)


def _check_opset(proto: Any, opset: int) -> None:
    own = {entry.domain: entry.version for entry in proto.opset_import}
    if own.get("") != opset:
        raise ExportError(f"jax2onnx wrote operations of version {own.get('')} where {opset} was asked for.")


def _name(proto: Any, job: ExportJob) -> None:
    """Give inputs and outputs the spec's symbols."""
    graph = proto.graph
    names = ([value.name for value in graph.input], [value.name for value in graph.output])
    if set(names[0]) != set(job.paths) or names[1] != job.outputs:
        raise ExportError(
            f"jax2onnx wrote the inputs {', '.join(names[0])} and outputs {', '.join(names[1])}, not {', '.join(job.paths)} "
            f"and {', '.join(job.outputs)}."
        )
    # Two sizes under one symbol are one buffer to the runtime: wrong shapes between are worse than none.
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
        raise ExportError(f"jax2onnx wrote {value.name!r} with {len(axes)} axes, and it has {len(shape)}.")
    for axis, size in zip(axes, shape, strict=True):
        axis.Clear()
        if is_static(size):
            axis.dim_value = evaluate_size(size)
        else:
            axis.dim_param = str(size)


def _check_file(path: Path, job: ExportJob) -> None:
    import onnx  # noqa: PLC0415 - jax2onnx has imported it

    try:
        onnx.checker.check_model(str(path), full_check=True)
        runner = open_runner(path, job.spec)
    except Exception as error:
        raise ExportError(
            f"what jax2onnx {version('jax2onnx')} wrote is not sound. {format_error_line(error)}"
        ) from error
    job.check(runner)
