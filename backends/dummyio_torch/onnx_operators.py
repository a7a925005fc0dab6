"""Operators that ``torch.onnx`` translates wrongly, or not at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["translations"]

_INT64 = 7
"""ONNX's number of int64."""


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return operator → translation, for ``torch.onnx.export(custom_translation_table=...)``."""
    import onnxscript  # noqa: PLC0415 - comes with ONNX, which this backend does not need else
    from onnxscript.function_libs.torch_lib.ops import core  # noqa: PLC0415 - as above

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

    return {
        torch.ops.aten._is_all_true.default: is_all_true,  # noqa: SLF001 - the name that graphs have it under
        torch.ops.aten.div.Tensor_mode: divide_with_mode,
    }
