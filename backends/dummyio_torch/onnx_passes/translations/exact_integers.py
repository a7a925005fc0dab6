"""Integer arithmetic in ONNX that stays exact: the exporter and ONNX Runtime compute it in floats, which are not exact."""

from typing import Any

from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core

op: Any = opset18
_EXPONENT_BITS = 16
"""Integers are raised to powers of at most this many bits."""
_HALF = 1 << 30
"""Integers are summed in two parts, above and below this: each sum of some thousands is exact in a double."""


def divide_with_mode(dividend: Any, divisor: Any, rounding_mode: str | None = None) -> Any:
    """Translate ``aten.div.Tensor_mode`` without floats."""
    if rounding_mode is None or not dividend.dtype.is_integer():
        return core.aten_div_mode(dividend, divisor, rounding_mode=rounding_mode)
    whole = op.CastLike(divisor, dividend)
    if rounding_mode == "trunc":
        return op.Div(dividend, whole)
    # A remainder in ONNX has the sign of the divisor, so the rest divides evenly.
    return op.Div(op.Sub(dividend, op.Mod(dividend, whole)), whole)


def raise_to_power(base: Any, exponent: Any) -> Any:
    """Translate ``aten.pow.Tensor_Tensor`` by multiplying: results above 2**53 wrap around, as in PyTorch."""
    if not (base.dtype.is_integer() and exponent.dtype.is_integer()):
        return core.aten_pow(base, exponent)
    zero, one, two = (op.CastLike(op.Constant(value_int=number), base) for number in range(3))
    rest = op.Abs(op.CastLike(exponent, base))
    result, factor = one, base
    for bit in range(_EXPONENT_BITS):
        is_odd = op.Equal(op.Mod(rest, two), one)
        result = op.Mul(result, op.Where(is_odd, factor, one))
        if bit + 1 < _EXPONENT_BITS:
            rest, factor = op.Div(rest, two), op.Mul(factor, factor)
    vanishes = op.And(op.Less(op.CastLike(exponent, base), zero), op.Not(op.Equal(op.Abs(base), one)))
    return op.Where(vanishes, zero, result)


def sum_integers(values: Any, dim: Any = None, keepdim: bool = False, dtype: int = -1) -> Any:  # noqa: FBT002 - PyTorch's signature
    """Translate ``aten.sum.dim_IntList``; a sum of integer products is made of two sums, of their high and low bits."""
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
