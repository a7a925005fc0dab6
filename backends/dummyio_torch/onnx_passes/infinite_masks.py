"""Rows of attention that attend to nothing, such as those of padding on the left.

PyTorch returns zeros for them. The exported graph has a test for that, ``IsNaN`` after the softmax, but it masks with the
smallest finite number: a softmax over a row of these is a mean over all positions instead of NaN. Padded positions then hold
other values than in the model, and so does the cache. With minus infinity as the mask, the test works.
"""

import ml_dtypes
import numpy as np
import onnx_ir as ir


def use_infinite_mask_fill(model: ir.Model, *_: object) -> None:
    """Replace the smallest number by minus infinity, in each mask that only leads to tested softmaxes."""
    for node in model.graph:
        if node.op_type != "Where" or not _leads_to_tested_softmax(node):
            continue
        kept, fill = node.inputs[1:]
        number = _get_constant(fill)
        if fill is not None and number is not None and _is_smallest(number) and _get_constant(kept) is not None:
            node.replace_input_with(2, _get_infinity(model.graph, number.dtype))
            if fill.is_initializer() and not fill.uses():
                del model.graph.initializers[str(fill.name)]


def _leads_to_tested_softmax(node: ir.Node) -> bool:
    """Whether each use of a value is a sum that only a softmax uses, and that only ``IsNaN`` and the choice by its result."""
    sums = node.outputs[0].consumers()
    softmaxes = [user for each in sums for user in each.outputs[0].consumers()]
    return (
        bool(sums)
        and {each.op_type for each in sums} == {"Add"}
        and [user.op_type for user in softmaxes] == ["Softmax"] * len(sums)
        and all(sorted(u.op_type for u in each.outputs[0].consumers()) == ["IsNaN", "Where"] for each in softmaxes)
    )


def _get_constant(value: ir.Value | None) -> ir.TensorProtocol | None:
    return None if value is None else ir.convenience.get_const_tensor(value)


def _is_smallest(number: ir.TensorProtocol) -> bool:
    if number.size != 1 or not number.dtype.is_floating_point():
        return False
    return bool(number.numpy().reshape(()) == ml_dtypes.finfo(number.dtype.numpy()).min)


def _get_infinity(graph: ir.Graph, dtype: ir.DataType) -> ir.Value:
    name = f"minus_infinity_{dtype.name.lower()}"
    if name not in graph.initializers:
        infinity = ir.tensor(np.array(-np.inf, dtype.numpy()), name=name)
        graph.register_initializer(ir.val(name, const_value=infinity))
    return graph.initializers[name]
