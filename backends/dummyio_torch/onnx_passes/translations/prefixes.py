"""Products and extremes of all elements up to each one. ONNX has only sums: memory grows with the square of the axis here."""

from typing import Any

import numpy as np
import onnx_ir as ir
from onnxscript import opset18

op: Any = opset18


def multiply_prefixes(values: Any, dim: int, dtype: int = -1) -> Any:
    """Translate ``aten.cumprod``."""
    if values.dtype.is_integer() and dtype in (-1, None):
        dtype = int(ir.DataType.INT64)
    factors = values if dtype in (-1, None) else op.Cast(values, to=dtype)
    if not values.shape:
        return factors
    rows, axis = _make_prefixes(factors, dim, op.CastLike(op.Constant(value_int=1), factors), len(values.shape))
    return op.ReduceProd(rows, op.Constant(value_ints=[axis]), keepdims=0)


def find_largest_of_prefixes(values: Any, dim: int) -> Any:
    """Translate ``aten.cummax``: the values and their places, the last place of several."""
    return _find_extremes(values, dim, largest=True)


def find_smallest_of_prefixes(values: Any, dim: int) -> Any:
    """Translate ``aten.cummin``: the values and their places, the last place of several."""
    return _find_extremes(values, dim, largest=False)


def _find_extremes(values: Any, dim: int, *, largest: bool) -> Any:
    if not values.shape:
        return op.Identity(values), op.Constant(value_int=0)
    limits = np.iinfo(values.dtype.numpy()) if values.dtype.is_integer() else None
    number = (limits.min if largest else limits.max) if limits else float("-inf" if largest else "inf")
    neutral = op.Constant(value=ir.tensor(np.array(number, values.dtype.numpy())))
    rows, axis = _make_prefixes(values, dim, neutral, len(values.shape))
    axes = op.Constant(value_ints=[axis])
    if largest:
        return op.ReduceMax(rows, axes, keepdims=0), op.ArgMax(rows, axis=axis, keepdims=0, select_last_index=1)
    return op.ReduceMin(rows, axes, keepdims=0), op.ArgMin(rows, axis=axis, keepdims=0, select_last_index=1)


def _make_prefixes(values: Any, dim: int, neutral: Any, rank: int) -> tuple[Any, int]:
    """Return each prefix of an axis as a row, filled up with a neutral element, and the axis of the rows' elements."""
    axis = dim % rank
    size = op.Shape(values, start=axis, end=axis + 1)
    places = op.Range(op.Constant(value_int=0), op.Squeeze(size, op.Constant(value_ints=[0])), op.Constant(value_int=1))
    ends = op.Unsqueeze(places, op.Constant(value_ints=[1]))
    is_inside = op.LessOrEqual(places, ends)
    trailing = rank - axis - 1
    if trailing:
        is_inside = op.Unsqueeze(is_inside, op.Constant(value_ints=list(range(2, 2 + trailing))))
    return op.Where(is_inside, op.Unsqueeze(values, op.Constant(value_ints=[axis])), neutral), axis + 1
