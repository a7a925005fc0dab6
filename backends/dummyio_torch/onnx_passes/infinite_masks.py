"""Rows of attention that attend to nothing, such as those of padding on the left.

PyTorch returns zeros for them. The exported graph has a test for that, ``IsNaN`` after the softmax, but it masks with the
smallest finite number: a softmax over a row of these is a mean over all positions instead of NaN. Padded positions then hold
other values than in the model, and so does the cache. With minus infinity as the mask, the test works.
"""

from __future__ import annotations

import ml_dtypes
import numpy as np
import onnx_ir as ir

__all__ = ["use_infinite_mask_fill"]


def use_infinite_mask_fill(model: ir.Model, *_: object) -> None:
    """Replace the smallest number by minus infinity, in each mask that only leads to tested softmaxes."""
    graph = model.graph
    infinities: dict[ir.Value, ir.Value] = {}
    for node in graph:
        if node.op_type == "Where" and _is_mask(node):
            smallest = node.inputs[2]
            if smallest not in infinities:
                infinities[smallest] = _add_infinity(graph, smallest)
            node.replace_input_with(2, infinities[smallest])
    for smallest in infinities:
        if smallest.is_initializer() and not smallest.uses():
            del graph.initializers[smallest.name]


def _is_mask(node: ir.Node) -> bool:
    """Whether a choice is between a constant and the smallest number, and each use of it leads to a tested softmax."""
    _, kept, smallest = node.inputs
    users = node.outputs[0].consumers()
    return _constant(kept) is not None and _is_smallest(smallest) and bool(users) and all(map(_is_tested, users))


def _is_tested(node: ir.Node) -> bool:
    """Whether a sum is only used by a softmax, and that by ``IsNaN`` and by the choice that depends on it."""
    softmax = node.outputs[0].consumers()
    if node.op_type != "Add" or [user.op_type for user in softmax] != ["Softmax"]:
        return False
    return sorted(user.op_type for user in softmax[0].outputs[0].consumers()) == ["IsNaN", "Where"]


def _constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    return None if value is None else ir.convenience.get_const_tensor(value)


def _is_smallest(value: ir.Value | None) -> bool:
    tensor = _constant(value)
    if tensor is None or tensor.size != 1 or not tensor.dtype.is_floating_point():
        return False
    return bool(tensor.numpy().reshape(()) == ml_dtypes.finfo(tensor.dtype.numpy()).min)


def _add_infinity(graph: ir.Graph, smallest: ir.Value) -> ir.Value:
    tensor = _constant(smallest)
    assert tensor is not None
    infinity = ir.tensor(np.array(-np.inf, tensor.dtype.numpy()), name=f"{smallest.name}_infinite")
    value = ir.val(infinity.name, const_value=infinity)
    graph.register_initializer(value)
    return value
