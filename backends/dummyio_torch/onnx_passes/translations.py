"""Operators that ``torch.onnx`` translates wrongly, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core, nn

from dummyio_torch.onnx_passes.exact_integers import divide_with_mode, power, sum_integers

__all__ = ["translations"]

op: Any = opset18
aten: Any = torch.ops.aten
_INT64 = 7
"""ONNX's number of int64."""
_WITH_ATTENTION = 23
"""The first version of the operators that has attention as one."""


def translations(opset: int | None) -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return operator → translation, for ``torch.onnx.export(custom_translation_table=...)``."""
    found: dict[Callable[..., Any], Callable[..., Any]] = {
        aten._is_all_true.default: is_all_true,  # noqa: SLF001 - the name that graphs have it under
        aten.div.Tensor_mode: divide_with_mode,
        aten.mul.Scalar: accept_symbolic_number(core.aten_mul_scalar, core.aten_mul),
        aten.pow.Tensor_Scalar: accept_symbolic_number(core.aten_pow_tensor_scalar, core.aten_pow),
        aten.pow.Tensor_Tensor: power,
        aten.remainder.Scalar: accept_symbolic_number(core.aten_remainder_scalar, core.aten_remainder),
        aten.scatter_reduce.two: scatter,
        aten.sum.dim_IntList: sum_integers,
    }
    if opset is None or opset < _WITH_ATTENTION:
        found[aten.scaled_dot_product_attention.default] = attend
    return found


def is_all_true(condition: Any) -> Any:
    """Say whether all elements hold: what models check of their own inputs, such as that images and their places match."""
    failing = op.ReduceSum(op.Cast(op.Not(condition), to=_INT64), keepdims=0)
    return op.Equal(failing, op.Constant(value_int=0))


def accept_symbolic_number(kept: Callable[..., Any], with_tensor: Callable[..., Any]) -> Callable[..., Any]:
    """Return what takes a number as the exporter does, and one that is a symbol as a tensor."""

    def translated(values: Any, number: Any) -> Any:
        if isinstance(number, (bool, int, float)):
            return kept(values, number)
        return with_tensor(values, op.CastLike(number, values))

    return translated


def attend(query: Any, key: Any, value: Any, mask: Any = None, *rest: Any, **options: Any) -> Any:
    """Return zeros for rows that a mask of numbers hides all of, as PyTorch does; without that they are no numbers."""
    result = nn.aten_scaled_dot_product_attention(query, key, value, mask, *rest, **options)
    if mask is None or not mask.dtype.is_floating_point():
        return result
    largest = op.ReduceMax(mask, op.Constant(value_ints=[-1]), keepdims=1)
    return op.Where(op.Equal(largest, _like(float("-inf"), mask)), _like(0.0, result), result)


def scatter(values: Any, dim: int, index: Any, source: Any, reduce: str, include_self: bool = True) -> Any:  # noqa: FBT002 - as PyTorch has it
    """Write means as sums and counts: of several values for one place the exporter keeps the last, without a word."""
    if reduce != "mean":
        return core.aten_scatter_reduce(values, dim, index, source, reduce, include_self)
    if values.dtype.is_integer() or not values.shape:
        raise NotImplementedError("a mean of integers, or of scalars, by scatter_reduce has no translation.")
    zeros = op.Expand(_like(0.0, values), op.Shape(values))
    ones = op.Expand(_like(1.0, values), op.Shape(index))
    count = op.ScatterElements(zeros, index, ones, axis=dim, reduction="add")
    if include_self:
        return op.Div(_added(values, index, source, dim), op.Add(count, _like(1.0, values)))
    mean = op.Div(_added(zeros, index, source, dim), op.Max(count, _like(1.0, values)))
    return op.Where(op.Greater(count, zeros), mean, values)


def _added(values: Any, index: Any, source: Any, dim: int) -> Any:
    return op.ScatterElements(values, index, source, axis=dim, reduction="add")


def _like(number: float, values: Any) -> Any:
    return op.CastLike(op.Constant(value_float=number), values)
