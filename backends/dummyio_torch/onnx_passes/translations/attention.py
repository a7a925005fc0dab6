"""Attention of rows that a float mask hides completely, and of tensors without heads."""

from typing import Any

import onnx_ir as ir
from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import nn

from dummyio_torch.onnx_passes.translations.constants import make_like

op: Any = opset18


def attend(query: Any, key: Any, value: Any, mask: Any = None, *rest: Any, **options: Any) -> Any:
    """Translate ``aten.scaled_dot_product_attention``; rows that a float mask hides completely return zeros, not NaN.

    Tensors without an axis of heads get one of size 1 in front of all others, where a mask needs none.
    """
    if len(query.shape) == 3:
        heads = [_add_axis(values) for values in (query, key, value)]
        return op.Squeeze(attend(*heads, mask, *rest, **options), op.Constant(value_ints=[0]))
    result = nn.aten_scaled_dot_product_attention(query, key, value, mask, *rest, **options)
    if mask is None or not mask.dtype.is_floating_point():
        return result
    largest = op.ReduceMax(mask, op.Constant(value_ints=[-1]), keepdims=1)
    return op.Where(op.Equal(largest, make_like(float("-inf"), mask)), make_like(0.0, result), result)


def _add_axis(values: Any) -> Any:
    result = op.Unsqueeze(values, op.Constant(value_ints=[0]))
    # The exporter infers it only after the translation, which needs it.
    result.shape = ir.Shape([1, *values.shape])
    result.dtype = values.dtype
    return result
