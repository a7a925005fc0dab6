"""Arithmetic of integers in ONNX that stays exact: the exporter and ONNX Runtime go by way of floats, which are not."""

from __future__ import annotations

from typing import Any

from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core

__all__ = ["divide_with_mode", "power", "sum_integers"]

op: Any = opset18
_EXPONENT_BITS = 16
"""Integers are raised to powers of as many bits."""
_HALF = 1 << 30
"""Integers are summed in parts above and below this: each sum of some thousands is exact in a double."""


def divide_with_mode(dividend: Any, divisor: Any, rounding_mode: str | None = None) -> Any:
    """``aten.div.Tensor_mode``: by way of float32, as the exporter does it, integers beyond 2**24 come out wrong."""
    if rounding_mode is None or not dividend.dtype.is_integer():
        return core.aten_div_mode(dividend, divisor, rounding_mode=rounding_mode)
    whole = op.CastLike(divisor, dividend)
    if rounding_mode == "trunc":
        return op.Div(dividend, whole)
    # A remainder of ONNX's has the divisor's sign, so what is left divides without one.
    return op.Div(op.Sub(dividend, op.Mod(dividend, whole)), whole)


def power(base: Any, exponent: Any) -> Any:
    """``aten.pow.Tensor_Tensor``, by multiplying: ONNX Runtime's ``Pow`` is exact to 2**53, and integers wrap around."""
    if not (base.dtype.is_integer() and exponent.dtype.is_integer()):
        return core.aten_pow(base, exponent)
    none, one, two = (op.CastLike(op.Constant(value_int=number), base) for number in range(3))
    rest = op.Abs(op.CastLike(exponent, base))
    result, factor = one, base
    for bit in range(_EXPONENT_BITS):
        odd = op.Equal(op.Mod(rest, two), one)
        result = op.Mul(result, op.Where(odd, factor, one))
        if bit + 1 < _EXPONENT_BITS:
            rest, factor = op.Div(rest, two), op.Mul(factor, factor)
    vanishes = op.And(op.Less(op.CastLike(exponent, base), none), op.Not(op.Equal(op.Abs(base), one)))
    return op.Where(vanishes, none, result)


def sum_integers(values: Any, dim: Any = None, keepdim: bool = False, dtype: int = -1) -> Any:  # noqa: FBT002 - as PyTorch has it
    """``aten.sum.dim_IntList``; products of integers in two halves, for ONNX Runtime sums by way of doubles, too."""
    producer = values.producer()
    if not values.dtype.is_integer() or producer is None or producer.op_type != "Mul" or not values.shape:
        return core.aten_sum_dim_IntList(values, dim, keepdim, dtype)
    half = op.CastLike(op.Constant(value_int=_HALF), values)
    low = op.Mod(values, half)
    high = op.Div(op.Sub(values, low), half)
    axes = [] if dim is None else [op.Constant(value_ints=[dim] if isinstance(dim, int) else list(dim))]
    sums = [op.ReduceSum(part, *axes, keepdims=int(keepdim)) for part in (high, low)]
    result = op.Add(op.Mul(sums[0], half), sums[1])
    return result if dtype in (-1, None) else op.Cast(result, to=dtype)
