"""Operators that ``torch.onnx`` translates wrongly, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["translations"]

_INT64 = 7
"""ONNX's number of int64."""
_EXPONENT_BITS = 16
"""Integers are raised to powers of as many bits."""
_HALF = 1 << 30
"""Integers are summed in parts above and below this: each sum of some thousands is exact in a double."""


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return operator → translation, for ``torch.onnx.export(custom_translation_table=...)``."""
    import onnxscript  # noqa: PLC0415 - comes with ONNX, which this backend does not need else
    from onnxscript.function_libs.torch_lib.ops import core, nn  # noqa: PLC0415 - as above

    op: Any = onnxscript.opset18

    def is_all_true(condition: Any) -> Any:
        """Say whether all elements hold: what models check of their own inputs, such as that images and their places match."""
        failing = op.ReduceSum(op.Cast(op.Not(condition), to=_INT64), keepdims=0)
        return op.Equal(failing, op.Constant(value_int=0))

    def divide_with_mode(dividend: Any, divisor: Any, rounding_mode: str | None = None) -> Any:
        """Divide integers as integers: by way of float32, as the exporter does it, those beyond 2**24 come out wrong."""
        if rounding_mode is None or not dividend.dtype.is_integer():
            return core.aten_div_mode(dividend, divisor, rounding_mode=rounding_mode)
        whole = op.CastLike(divisor, dividend)
        if rounding_mode == "trunc":
            return op.Div(dividend, whole)
        # A remainder of ONNX's has the divisor's sign, so what is left divides without one.
        return op.Div(op.Sub(dividend, op.Mod(dividend, whole)), whole)

    def power(base: Any, exponent: Any) -> Any:
        """Raise integers by multiplying: ONNX Runtime goes by way of doubles, which are exact to 2**53, and integers wrap around."""
        if not (base.dtype.is_integer() and exponent.dtype.is_integer()):
            return core.aten_pow(base, exponent)
        one, two = (op.CastLike(op.Constant(value_int=number), base) for number in (1, 2))
        rest = op.Abs(op.CastLike(exponent, base))
        result, factor = one, base
        for bit in range(_EXPONENT_BITS):
            odd = op.Equal(op.Mod(rest, two), one)
            result = op.Mul(result, op.Where(odd, factor, one))
            if bit + 1 < _EXPONENT_BITS:
                rest, factor = op.Div(rest, two), op.Mul(factor, factor)
        none = op.CastLike(op.Constant(value_int=0), base)
        vanishes = op.And(op.Less(op.CastLike(exponent, base), none), op.Not(op.Equal(op.Abs(base), one)))
        return op.Where(vanishes, none, result)

    def total(values: Any, dim: Any = None, keepdim: bool = False, dtype: int = -1) -> Any:  # noqa: FBT001, FBT002 - as PyTorch has it
        """Sum integers that were multiplied in two halves: ONNX Runtime sums by way of doubles, too."""
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

    def scatter(values: Any, dim: int, index: Any, source: Any, reduce: str, include_self: bool = True) -> Any:  # noqa: FBT001, FBT002, PLR0913, PLR0917 - as above
        """Write means as sums and counts: of several values for one place the exporter keeps the last, without a word."""
        if reduce != "mean":
            return core.aten_scatter_reduce(values, dim, index, source, reduce, include_self)
        if values.dtype.is_integer() or not values.shape:
            raise NotImplementedError("a mean of integers, or of scalars, by scatter_reduce has no translation.")
        zeros = op.Expand(op.CastLike(op.Constant(value_float=0.0), values), op.Shape(values))
        ones = op.Expand(one_like(values), op.Shape(index))
        count = op.ScatterElements(zeros, index, ones, axis=dim, reduction="add")
        if include_self:
            return op.Div(op.ScatterElements(values, index, source, axis=dim, reduction="add"), op.Add(count, one_like(values)))
        mean = op.Div(op.ScatterElements(zeros, index, source, axis=dim, reduction="add"), op.Max(count, one_like(values)))
        return op.Where(op.Greater(count, zeros), mean, values)

    def one_like(values: Any) -> Any:
        return op.CastLike(op.Constant(value_float=1.0), values)

    def attend(query: Any, key: Any, value: Any, mask: Any = None, *rest: Any, **options: Any) -> Any:
        """Return zeros for rows that a mask of numbers hides all of, as PyTorch does; without that they are no numbers."""
        result = nn.aten_scaled_dot_product_attention(query, key, value, mask, *rest, **options)
        if mask is None or not mask.dtype.is_floating_point():
            return result
        largest = op.ReduceMax(mask, op.Constant(value_ints=[-1]), keepdims=1)
        hidden = op.Equal(largest, op.CastLike(op.Constant(value_float=float("-inf")), mask))
        return op.Where(hidden, op.CastLike(op.Constant(value_float=0.0), result), result)

    def by_number(kept: Callable[..., Any], with_tensor: Callable[..., Any]) -> Callable[..., Any]:
        """Return what takes a number as the exporter does, and one that is a symbol as a tensor."""

        def translated(values: Any, number: Any) -> Any:
            if isinstance(number, (bool, int, float)):
                return kept(values, number)
            return with_tensor(values, op.CastLike(number, values))

        return translated

    aten: Any = torch.ops.aten
    return {
        aten._is_all_true.default: is_all_true,  # noqa: SLF001 - the name that graphs have it under
        aten.div.Tensor_mode: divide_with_mode,
        aten.pow.Tensor_Tensor: power,
        aten.scaled_dot_product_attention.default: attend,
        aten.scatter_reduce.two: scatter,
        aten.sum.dim_IntList: total,
        aten.pow.Tensor_Scalar: by_number(core.aten_pow_tensor_scalar, core.aten_pow),
        aten.mul.Scalar: by_number(core.aten_mul_scalar, core.aten_mul),
        aten.remainder.Scalar: by_number(core.aten_remainder_scalar, core.aten_remainder),
    }
