"""Operators that tf2onnx lacks or writes wrongly, in those of ONNX; each function that writes one has the parameters of its handlers."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any

import numpy as np

from dummyio.process_state import replace_attributes

_ADDS = 16
"""The opset from which ``ScatterND`` can add."""
_AXES_ARE_INPUTS = 13
"""The opset from which ``Unsqueeze`` and ``ReduceSum`` take their axes as inputs."""


_PADS_HAVE_AXES = 18
"""The opset from which ``Pad`` can have axes."""


def add_pad_axes(proto: Any, opset: int) -> None:
    """Give each ``Pad`` its axes: ONNX Runtime makes one without axes a part of the maximum behind it, which ignores the padding."""
    from onnx import numpy_helper  # noqa: PLC0415 - lazy: tf2onnx has imported it

    known = {each.name: each for each in proto.graph.initializer}
    pads = [node for node in proto.graph.node if node.op_type == "Pad" and len(node.input) in (2, 3)]
    for node in pads if opset >= _PADS_HAVE_AXES else ():
        if node.input[1] in known:
            rank = numpy_helper.to_array(known[node.input[1]]).size // 2
            name = f"{node.output[0]}_axes"
            proto.graph.initializer.append(numpy_helper.from_array(np.arange(rank), name))
            node.input.extend(["", name][len(node.input) - 2 :])


def write_erfc(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write ``1 - Erf(x)`` for ``Erfc``, which exact GELUs of Keras contain: tf2onnx does not support it."""
    del args
    shape, dtype = ctx.get_shape(node.output[0]), ctx.get_dtype(node.output[0])
    one = _constant(ctx, np.array(1, _to_numpy(dtype)))
    erf = ctx.make_node("Erf", [node.input[0]], shapes=[shape], dtypes=[dtype]).output[0]
    _replace(ctx, node, name, "Sub", [one, erf], {})


def write_scatter(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write ``ScatterND`` that adds for ``ScatterNd``: tf2onnx writes one of which the last value at an index wins."""
    del args
    from onnx import TensorProto, helper  # noqa: PLC0415 - lazy: tf2onnx has imported it

    indices, updates, shape = node.input
    dtype = ctx.get_dtype(updates)
    sizes = ctx.make_node("Cast", [shape], attr={"to": TensorProto.INT64}).output[0]
    value = helper.make_tensor("value", dtype, dims=[1], vals=[0])
    zeros = ctx.make_node("ConstantOfShape", [sizes], attr={"value": value}, dtypes=[dtype]).output[0]
    places = ctx.make_node("Cast", [indices], attr={"to": TensorProto.INT64}).output[0]
    reduction = {"reduction": "add"} if ctx.opset >= _ADDS else {}
    _replace(ctx, node, name, "ScatterND", [zeros, places, updates], reduction)


def write_bucketize(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write the number of boundaries that a value reaches for ``Bucketize``, which `Discretization` contains: tf2onnx does not support it."""
    del args
    from onnx import TensorProto  # noqa: PLC0415 - lazy: tf2onnx has imported it

    bounds = np.array(node.get_attr("boundaries").floats, np.float32)
    values = ctx.make_node("Cast", [node.input[0]], attr={"to": TensorProto.FLOAT}).output[0]
    column = ctx.make_node("Unsqueeze", [values, _constant(ctx, np.array([-1], np.int64))]).output[0]
    below = ctx.make_node("Less", [column, _constant(ctx, bounds)]).output[0]
    reached = ctx.make_node("Cast", [ctx.make_node("Not", [below]).output[0]], attr={"to": TensorProto.INT32}).output[0]
    _replace(ctx, node, name, "ReduceSum", [reached, _constant(ctx, np.array([-1], np.int64))], {"keepdims": 0})


def write_rfft(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write products with cosines and sines for ``RFFT``, which `stft` contains: tf2onnx takes it with fixed sizes only."""
    from onnx import TensorProto  # noqa: PLC0415 - lazy: tf2onnx has imported it
    from tf2onnx.onnx_opset.signal import RFFTOp  # noqa: PLC0415

    consumers = {consumer.type for consumer in ctx.find_output_consumers(node.output[0])}
    length = node.inputs[1]
    if consumers != {"ComplexAbs"} or not length.is_const() or ctx.get_dtype(node.input[0]) != TensorProto.FLOAT:
        RFFTOp.version_13(ctx, node, name=name, args=args)
        return
    count = int(length.get_tensor_value(as_list=False).item())
    angles = 2 * np.pi * np.outer(np.arange(count), np.arange(count // 2 + 1)) / count
    ends = [np.array([value], np.int64) for value in (0, count, -1)]
    taken = ctx.make_node("Slice", [node.input[0], *(_constant(ctx, end) for end in ends)]).output[0]
    parts = [
        ctx.make_node(
            "Unsqueeze",
            [
                ctx.make_node("MatMul", [taken, _constant(ctx, table.astype(np.float32))]).output[0],
                _constant(ctx, np.array([0], np.int64)),
            ],
        ).output[0]
        for table in (np.cos(angles), -np.sin(angles))
    ]
    output = node.output[0]
    ctx.remove_node(node.name)
    ctx.make_node(
        "Concat", parts, attr={"axis": 0}, name=f"{name}{_PAIR}", outputs=[output], dtypes=[TensorProto.FLOAT]
    )


_PAIR = "_real_and_imaginary"
"""The end of the name of a node whose first axis has the real and the imaginary part."""


def write_complex_abs(ctx: Any, node: Any, name: str, args: Any) -> None:
    """Write the length of a pair for the absolute value of what `write_rfft` writes; tf2onnx writes the others."""
    from tf2onnx.onnx_opset.signal import ComplexAbsOp  # noqa: PLC0415 - lazy: tf2onnx calls this

    if not node.inputs[0].name.endswith(_PAIR):
        ComplexAbsOp.version_13(ctx, node, name=name, args=args)
        return
    squares = ctx.make_node("Mul", [node.input[0], node.input[0]]).output[0]
    first = _constant(ctx, np.array([0], np.int64))
    _replace(
        ctx, node, name, "Sqrt", [ctx.make_node("ReduceSum", [squares, first], attr={"keepdims": 0}).output[0]], {}
    )


def list_handlers(opset: int) -> dict[str, Any]:
    """Return operator of TensorFlow → what tf2onnx calls to write it, at an opset."""
    always = {"Erfc": write_erfc, "ScatterNd": write_scatter}
    later = {"Bucketize": write_bucketize, "RFFT": write_rfft, "ComplexAbs": write_complex_abs}
    return {kind: (write, []) for kind, write in (always | (later if opset >= _AXES_ARE_INPUTS else {})).items()}


@contextmanager
def keep_copied_sizes() -> Generator[None]:
    """Let tf2onnx keep a ``Reshape`` before another that copies sizes of its result: it drops the first, and other sizes are copied."""
    from tf2onnx.optimizer import back_to_back_optimizer as passes  # noqa: PLC0415 - lazy: it takes seconds

    merge = passes._func_map[_RESHAPE]  # noqa: SLF001 - it has no option for one pass

    def merge_unless_copied(graph: Any, node: Any, consumers: Any) -> Any:
        shapes = [consumer.inputs[1] for consumer in consumers]
        copies = any(shape.is_const() and 0 in shape.get_tensor_value(as_list=True) for shape in shapes)
        return [] if copies else merge(graph, node, consumers)

    with replace_attributes(passes, _func_map={**passes._func_map, _RESHAPE: merge_unless_copied}):  # noqa: SLF001
        yield


_RESHAPE = ("Reshape",)


def _constant(ctx: Any, values: Any) -> Any:
    import tf2onnx.utils  # noqa: PLC0415 - lazy: tf2onnx calls this

    return ctx.make_const(tf2onnx.utils.make_name("constant"), values).output[0]


def _to_numpy(dtype: int) -> Any:
    import tf2onnx.utils  # noqa: PLC0415 - lazy: tf2onnx calls this

    return tf2onnx.utils.map_onnx_to_numpy_type(dtype)


def _replace(ctx: Any, node: Any, name: str, kind: str, inputs: list[Any], attributes: dict[str, Any]) -> None:
    output = node.output[0]
    shape, dtype = ctx.get_shape(output), ctx.get_dtype(output)
    ctx.remove_node(node.name)
    ctx.make_node(kind, inputs, attr=attributes, name=name, outputs=[output], shapes=[shape], dtypes=[dtype])
