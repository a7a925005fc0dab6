"""Padding before a pool, which ONNX Runtime moves into the pool.

A maximum over values that were padded with 0 is at least 0; a pool's own padding never wins. Where values are negative, the two
differ, and ONNX Runtime's optimization takes one for the other. It leaves a ``Pad`` alone that says which axes it pads.
"""

from __future__ import annotations

import onnx

__all__ = ["add_pad_axes"]

_WITH_AXES = 18
"""The first version of the operators in which ``Pad`` may name its axes."""


def add_pad_axes(graph: onnx.GraphProto, opset: int) -> int:
    """Give each ``Pad`` before a maximum its axes; return how many got them."""
    pooled = {node.input[0] for node in graph.node if node.op_type == "MaxPool"}
    lengths = {tensor.name: tensor.dims[0] for tensor in graph.initializer if len(tensor.dims) == 1}
    changed = 0
    for node in graph.node:
        known = len(node.input) in (2, 3) and node.input[1] in lengths
        if opset < _WITH_AXES or node.op_type != "Pad" or node.output[0] not in pooled or not known:
            continue
        rank = lengths[node.input[1]] // 2
        name = f"{node.output[0]}_axes"
        graph.initializer.append(onnx.helper.make_tensor(name, onnx.TensorProto.INT64, [rank], range(rank)))
        node.input.extend(["", name] if len(node.input) == 2 else [name])
        changed += 1
    return changed
