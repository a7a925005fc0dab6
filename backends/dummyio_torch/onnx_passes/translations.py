"""Operators that ``torch.onnx`` translates wrongly, or not at all."""

from collections.abc import Callable
from typing import Any

import onnx_ir as ir
from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core, nn

op: Any = opset18
_INT64 = 7
"""The number of int64 in ONNX."""


def are_all_true(condition: Any) -> Any:
    """Translate ``aten._is_all_true``: models check their inputs with it, such as images and their positions in a text."""
    failing = op.ReduceSum(op.Cast(op.Not(condition), to=_INT64), keepdims=0)
    return op.Equal(failing, op.Constant(value_int=0))


def accept_symbolic_number(with_constant: Callable[..., Any], with_tensor: Callable[..., Any]) -> Callable[..., Any]:
    """Return a translation for a tensor and a number, which may be a constant or computed from sizes."""

    def translate(values: Any, number: Any) -> Any:
        if isinstance(number, (bool, int, float)):
            return with_constant(values, number)
        return with_tensor(values, op.CastLike(number, values))

    return translate


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
    return op.Where(op.Equal(largest, _like(float("-inf"), mask)), _like(0.0, result), result)


def _add_axis(values: Any) -> Any:
    result = op.Unsqueeze(values, op.Constant(value_ints=[0]))
    # The exporter infers it only after the translation, which needs it.
    result.shape = ir.Shape([1, *values.shape])
    result.dtype = values.dtype
    return result


def scatter(values: Any, dim: int, index: Any, source: Any, reduce: str, include_self: bool = True) -> Any:  # noqa: FBT002 - PyTorch's signature
    """Translate ``aten.scatter_reduce.two``; a mean is a sum divided by a count."""
    if reduce != "mean":
        return core.aten_scatter_reduce(values, dim, index, source, reduce, include_self)
    if values.dtype.is_integer() or not values.shape:
        raise NotImplementedError("a mean of integers, or of scalars, by scatter_reduce has no translation.")
    zeros = op.Expand(_like(0.0, values), op.Shape(values))
    ones = op.Expand(_like(1.0, values), op.Shape(index))
    count = op.ScatterElements(zeros, index, ones, axis=dim, reduction="add")
    if include_self:
        return op.Div(_scatter_sum(values, index, source, dim), op.Add(count, _like(1.0, values)))
    mean = op.Div(_scatter_sum(zeros, index, source, dim), op.Max(count, _like(1.0, values)))
    return op.Where(op.Greater(count, zeros), mean, values)


def _scatter_sum(values: Any, index: Any, source: Any, dim: int) -> Any:
    return op.ScatterElements(values, index, source, axis=dim, reduction="add")


def _like(number: float, values: Any) -> Any:
    return op.CastLike(op.Constant(value_float=number), values)
