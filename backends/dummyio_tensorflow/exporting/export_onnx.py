"""ONNX files, by tf2onnx.

It returns a model where it should raise: operations that it lacks are only logged, an id table of bfloat16 becomes float16.
So what it does not say is checked here: the operations by name, and the whole by ONNX Runtime, which must load and run it.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dummyio.errors import ExportError, NotInstalledError, OptionError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_tensorflow.calling.frozen_function import (
    Frozen,
    add_output_specs,
    check_names_apart,
    freeze_model,
    without_xla,
)
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.exporting.onnx_names import give_names
from dummyio_tensorflow.running.model_runner import ModelRunner

__all__ = ["export_onnx"]

_OPSETS = range(9, 19)
"""What tf2onnx writes; it raises for more, and less lacks what models need."""
_LARGEST = 1 << 31


def export_onnx(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    opset: int = 18,
    static: StaticDims = None,
) -> ExportResult:
    """Write an ONNX file.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    opset
        9 to 18.
    static
        As in `dummyio_tensorflow.export_saved_model`.

    Raises
    ------
    ExportError
        for operations that tf2onnx lacks, for bfloat16, and for what ONNX Runtime does not load or run.
    """
    if opset not in _OPSETS:
        raise OptionError(f"opset={opset!r}: tf2onnx writes {_OPSETS.start} to {_OPSETS.stop - 1}.")
    spec, notes = fix_dims(spec, static)
    with without_xla():
        frozen = freeze_model(model, spec)
    spec = add_output_specs(spec, frozen)
    check_names_apart(frozen.names, frozen.outputs)
    _check_dtypes(frozen)
    proto = _converted(frozen, opset)
    give_names(proto, spec, frozen.names, frozen.outputs)
    path.write_bytes(proto.SerializeToString(deterministic=True))
    unchecked = check_artifact(path, spec, frozen.outputs, reference=ModelRunner(model, spec))
    return ExportResult(spec, (*notes, *unchecked))


def _check_dtypes(frozen: Frozen) -> None:
    graph = frozen.graph.graph
    found = [op.name for op in graph.get_operations() for tensor in op.outputs if tensor.dtype == tf.bfloat16]
    if found:
        raise ExportError(
            f"the model computes in bfloat16 ({found[0]} and {len(found) - 1} more), and tf2onnx would write float16 without "
            "a word, which has another range: export it in float32, or as a SavedModel."
        )


def _converted(frozen: Frozen, opset: int) -> Any:
    try:
        import tf2onnx  # noqa: PLC0415 - seconds to import, for this format only
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            f"ONNX needs {error.name}, which is not installed. Install it: pip install 'dummyio[tensorflow,onnx]'"
        ) from error
    proto: Any = None
    problem: Exception | None = None
    with quiet() as chatter:
        try:
            proto, _ = tf2onnx.convert.from_function(
                frozen.function,
                input_signature=frozen.function.input_signature,
                opset=opset,
                custom_op_handlers={"Erfc": (_erfc, [])},
            )
        except Exception as error:  # noqa: BLE001 - whatever it raises is told with what it logged
            problem = error
    lacking = _unsupported(chatter.errors())
    if lacking:
        raise ExportError(f"tf2onnx {tf2onnx.__version__} has no ONNX for {lacking}. Write the model without them.")
    if problem is not None:
        text = " ".join(str(problem).split())[:500]
        raise ExportError(f"tf2onnx {tf2onnx.__version__} failed: {type(problem).__name__}: {text}") from problem
    if proto.ByteSize() >= _LARGEST:
        raise ExportError("the model is larger than 2 GiB, which one ONNX file cannot hold on this route.")
    _check_operators(proto, opset, chatter.errors())
    return proto


def _unsupported(errors: list[str]) -> str:
    """Return the operations that tf2onnx logged as lacking, with how often they stand in the model."""
    found: dict[str, str] = {}
    for text in errors:
        if text.startswith("Unsupported ops"):
            found |= dict(re.findall(r"'(\w+)': (\d+)", text))
        single = re.search(r"Tensorflow op \[.*: (\w+)\] is not supported", text)
        if single:
            found.setdefault(single[1], "1")
    return ", ".join(f"{name} ({count})" for name, count in found.items())


def _check_operators(proto: Any, opset: int, errors: list[str]) -> None:
    import onnx  # noqa: PLC0415 - tf2onnx has imported it

    foreign = sorted(
        {
            node.op_type
            for node in proto.graph.node
            if node.domain in {"", "ai.onnx"} and not onnx.defs.has(node.op_type, opset)
        }
    )
    if foreign:
        said = f" It said: {errors[0][:300]}" if errors else ""
        raise ExportError(f"tf2onnx left operations that ONNX {opset} does not have: {', '.join(foreign)}.{said}")


def _erfc(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write ``1 - erf(x)``, which ONNX has: exact GELUs of Keras are made of it, and tf2onnx does not know it."""
    import tf2onnx.utils  # noqa: PLC0415 - as above

    del args
    output = node.output[0]
    shape, dtype = ctx.get_shape(output), ctx.get_dtype(output)
    ones = np.array(1, tf2onnx.utils.map_onnx_to_numpy_type(dtype))
    one = ctx.make_const(tf2onnx.utils.make_name("one"), ones).output[0]
    erf = ctx.make_node("Erf", [node.input[0]], shapes=[shape], dtypes=[dtype]).output[0]
    ctx.remove_node(node.name)
    ctx.make_node("Sub", [one, erf], name=name, outputs=[output], shapes=[shape], dtypes=[dtype])
