"""Rows of attention that attend to nothing, such as those of padding on the left.

PyTorch returns zeros for them. The graph that its exporter writes has a test for that, ``IsNaN`` behind the softmax, but masks
with the smallest finite number, for which a softmax over nothing is no NaN but a mean over everything: padded positions
then hold other values than the model's, and so does the cache. Masked with minus infinity the test does what it is for.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx
from onnx import numpy_helper

__all__ = ["use_infinite_mask_fill"]

Nodes = list[onnx.NodeProto]


def use_infinite_mask_fill(graph: onnx.GraphProto) -> int:
    """Change the masks that lead to a tested softmax; return how many were changed."""
    consumers: dict[str, Nodes] = {}
    for node in graph.node:
        for name in node.input:
            consumers.setdefault(name, []).append(node)
    constants = {tensor.name: tensor for tensor in graph.initializer if sum(tensor.dims) <= 1}
    infinite: dict[int, str] = {}
    changed = 0
    for node in graph.node:
        if node.op_type == "Where" and _is_mask(node, constants, consumers):
            kind = constants[node.input[2]].data_type
            if kind not in infinite:
                infinite[kind] = _add_infinity(graph, kind)
            node.input[2] = infinite[kind]
            changed += 1
    used = {name for node in graph.node for name in node.input} | {value.name for value in graph.output}
    for name in {name for name in constants if name not in used and _is_smallest(constants[name])}:
        graph.initializer.remove(constants[name])
    return changed


def _is_mask(
    node: onnx.NodeProto,
    constants: Mapping[str, onnx.TensorProto],
    consumers: Mapping[str, Nodes],
) -> bool:
    """Whether a node is 0 or the smallest number, and goes to nothing but tested softmaxes."""
    smallest = constants.get(node.input[2])
    if smallest is None or not _is_smallest(smallest) or node.input[1] not in constants:
        return False
    users = consumers.get(node.output[0], [])
    return bool(users) and all(_is_tested(user, consumers) for user in users)


def _is_tested(node: onnx.NodeProto, consumers: Mapping[str, Nodes]) -> bool:
    """Whether a sum goes to a softmax alone, and that to ``IsNaN`` and to the choice that the test makes."""
    if node.op_type != "Add":
        return False
    after = consumers.get(node.output[0], [])
    if [user.op_type for user in after] != ["Softmax"]:
        return False
    return sorted(user.op_type for user in consumers.get(after[0].output[0], [])) == ["IsNaN", "Where"]


def _is_smallest(tensor: onnx.TensorProto) -> bool:
    value = numpy_helper.to_array(tensor)
    if value.dtype.kind != "f" and value.dtype.name != "bfloat16":
        return False
    smallest = -3.3895313892515355e38 if value.dtype.name == "bfloat16" else np.finfo(value.dtype).min
    return bool(value.astype(np.float64).reshape(()) == float(smallest))


def _add_infinity(graph: onnx.GraphProto, kind: int) -> str:
    taken = {tensor.name for tensor in graph.initializer} | {name for node in graph.node for name in node.output}
    name = f"minus_infinity_{kind}"
    while name in taken:
        name += "_"
    graph.initializer.append(onnx.helper.make_tensor(name, kind, [], [float("-inf")]))
    return name
