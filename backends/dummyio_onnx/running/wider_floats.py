"""A model in bfloat16 as one in float32: ONNX Runtime has no kernels for bfloat16 on the CPU, and float32 has all its values.

The wider model has the same graph and the same weights. It rounds less, so its values are within the rounding of bfloat16.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

_NARROW, _WIDE = onnx.TensorProto.BFLOAT16, onnx.TensorProto.FLOAT
_TYPES = ("to", "dtype")
"""The attributes of operators that are the number of an element type."""


def widen_bfloat16(model: onnx.ModelProto) -> bool:
    """Change a whole model, weights included, to float32 in the place of bfloat16; return whether it has any."""
    nodes = [node for function in model.functions for node in function.node]
    values: list[Any] = [value for function in model.functions for value in function.value_info]
    tensors: list[onnx.TensorProto] = []
    inner = [graph for node in nodes for graph in _iterate_inner_graphs(node)]
    for graph in (*_iterate_graphs(model.graph), *inner):
        nodes += graph.node
        values += (*graph.input, *graph.output, *graph.value_info)
        tensors += graph.initializer
    changed = [*map(_widen_node, nodes), *map(_widen_tensor, tensors), *(_widen_type(value.type) for value in values)]
    return any(changed)


def _iterate_graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        yield from _iterate_inner_graphs(node)


def _iterate_inner_graphs(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        for inner in (*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])):
            yield from _iterate_graphs(inner)


def _widen_node(node: onnx.NodeProto) -> bool:
    found = False
    for attribute in node.attribute:
        if attribute.name in _TYPES and attribute.i == _NARROW:
            attribute.i, found = _WIDE, True
        for tensor in (*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])):
            found |= _widen_tensor(tensor)
    return found


def _widen_tensor(tensor: onnx.TensorProto) -> bool:
    if tensor.data_type != _NARROW:
        return False
    values = numpy_helper.to_array(tensor).astype(np.float32)
    tensor.CopyFrom(numpy_helper.from_array(values, tensor.name))
    return True


def _widen_type(kind: Any) -> bool:
    """Widen a type, which may be a sequence or an optional value of another."""
    which = kind.WhichOneof("value")
    if which in ("sequence_type", "optional_type"):
        return _widen_type(getattr(kind, which).elem_type)
    if which != "tensor_type" or kind.tensor_type.elem_type != _NARROW:
        return False
    kind.tensor_type.elem_type = _WIDE
    return True
