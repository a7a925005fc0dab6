"""ONNX files, by tf2onnx.

It returns a model where it should raise: it only logs operations that it lacks, and writes bfloat16 as float16. So both are
checked here, and the check of the artifact loads and runs it.
"""

import re
from importlib import import_module
from pathlib import Path
from typing import Annotated, Any

import tensorflow as tf
from msgspec import Meta

from dummyio.errors import ExportError, NotInstalledError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_names_apart
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_tensorflow.calling.frozen_function import Frozen, complete_freezing, without_xla
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.exporting.converter_errors import clean_cause, summarize
from dummyio_tensorflow.exporting.export_job import ExportJob, prepare_export
from dummyio_tensorflow.exporting.onnx_names import declare_names
from dummyio_tensorflow.exporting.onnx_operators import add_pad_axes, keep_copied_sizes, list_handlers
from dummyio_tensorflow.exporting.operator_places import find_mentioned, name_operators

_LARGEST = 1 << 31


def export_onnx(
    model: Any, spec: InputSpec, path: Path, *, opset: Annotated[int, Meta(ge=9, le=18)] = 18, static: StaticDims = None
) -> ExportResult:
    """Write an ONNX file.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    opset
        9 to 18.
    static
        As in `export_saved_model`.

    Raises
    ------
    ExportError
        for operations that tf2onnx lacks, for bfloat16, and for a file that ONNX Runtime does not load or run.
    """
    with without_xla():
        job = prepare_export(model, spec, static)
    check_names_apart(job.frozen.names, job.frozen.outputs)
    _check_graph(job.frozen)
    with report_stage("write", path.name):
        proto = declare_names(_convert(job, opset), job.spec, job.frozen.names, job.frozen.outputs)
        path.write_bytes(proto.SerializeToString(deterministic=True))
    return job.finish(path)


def _check_graph(frozen: Frozen) -> None:
    graph = frozen.graph.graph
    if any(op.type in ("Case", "StatelessCase") for op in graph.get_operations()):
        raise ExportError(
            "the model chooses one of several branches by a number (tf.switch_case, tf.case), which tf2onnx cannot convert: choose with "
            "tf.cond, or export a SavedModel."
        )
    found = [op.name for op in graph.get_operations() for tensor in op.outputs if tensor.dtype == tf.bfloat16]
    if found:
        raise ExportError(
            f"the model computes in bfloat16 ({found[0]} and {len(found) - 1} more), which tf2onnx writes as float16, of "
            "another range: export it in float32, or as a SavedModel."
        )


def _convert(job: ExportJob, opset: int) -> Any:
    frozen = job.frozen
    try:
        import_module("onnx_ir")  # `declare_names` needs it
        import tf2onnx  # noqa: PLC0415 - lazy: it takes seconds
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            f"ONNX needs {error.name}, which is not installed. Install it: pip install 'dummyio[tensorflow,onnx]'"
        ) from error
    proto: Any = None
    problem: Exception | None = None
    with silence_output() as log, complete_freezing(), keep_copied_sizes():
        try:
            proto, _ = tf2onnx.convert.from_function(
                frozen.function,
                input_signature=frozen.function.input_signature,
                opset=opset,
                custom_op_handlers=list_handlers(opset),
            )
        except Exception as error:  # noqa: BLE001 - an operation that it only logged is the reason
            problem = error
    lacking = _find_unsupported(log.errors())
    if not lacking and problem is not None:
        lacking = find_mentioned(frozen.graph.graph, str(problem))
    if lacking:
        raise ExportError(
            f"tf2onnx {tf2onnx.__version__} has no ONNX operators for {name_operators(job.model, job.spec, lacking)}. {_REMEDY}"
        ) from (None if problem is None else clean_cause(problem))
    if problem is not None:
        reason = summarize(str(problem), problem)
        raise ExportError(f"tf2onnx {tf2onnx.__version__} failed: {reason} {_REMEDY}") from clean_cause(problem)
    if proto.ByteSize() >= _LARGEST:
        raise ExportError(
            "the model is larger than 2 GiB, which one ONNX file of tf2onnx cannot hold: export a SavedModel."
        )
    _check_operators(proto, opset)
    add_pad_axes(proto, opset)
    return proto


_REMEDY = "A SavedModel and a .pb carry it, or write the model without it."


def _find_unsupported(errors: list[str]) -> list[str]:
    """Return the operators that tf2onnx logged as unsupported."""
    found: dict[str, None] = {}
    for text in errors:
        if text.startswith("Unsupported ops"):
            found |= dict.fromkeys(re.findall(r"'(\w+)': \d+", text))
        single = re.search(r"Tensorflow op \[.*: (\w+)\] is not supported", text)
        if single:
            found.setdefault(single[1])
    return list(found)


def _check_operators(proto: Any, opset: int) -> None:
    import onnx  # noqa: PLC0415 - lazy: tf2onnx has imported it

    foreign = sorted(
        {
            node.op_type
            for node in proto.graph.node
            if node.domain in {"", "ai.onnx"} and not onnx.defs.has(node.op_type, opset)
        }
    )
    if foreign:
        raise ExportError(f"tf2onnx wrote operators that ONNX {opset} does not have: {', '.join(foreign)}. {_REMEDY}")
