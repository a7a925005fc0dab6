"""Weights that the optimizer computes in another dtype than the layer that it fuses them into.

A norm behind a convolution becomes a part of its weights. In bfloat16 they are computed in float32 and stay so, and a node
whose operands differ in their dtypes is not valid.
"""

import onnx_ir as ir

_LAYERS = ("Conv", "ConvTranspose", "Gemm")


def cast_fused_weights(model: ir.Model, *_: object) -> None:
    """Give the constant operands of each layer that a norm is fused into the dtype of its input."""
    for node in model.graph.all_nodes():
        wanted = node.inputs[0].dtype if node.op_type in _LAYERS and node.inputs[0] is not None else None
        for value in node.inputs[1:] if wanted is not None else ():
            if value is not None and value.const_value is not None and value.dtype not in (None, wanted):
                value.const_value = ir.tensor(value.const_value.numpy().astype(wanted.numpy()), name=value.name)
                value.dtype = wanted
