"""Operators that models use and ``torch.onnx`` has no translation of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

__all__ = ["translations"]


def translations() -> dict[Callable[..., Any], Callable[..., Any]]:
    """Return operator → translation, for ``torch.onnx.export(custom_translation_table=...)``."""
    import onnxscript  # noqa: PLC0415 - comes with ONNX, which this backend does not need else

    op: Any = onnxscript.opset18

    def is_all_true(condition: Any) -> Any:
        """Say whether all elements hold: what models check of their own inputs, such as that images and their places match."""
        return op.Equal(op.ReduceSum(op.Cast(op.Not(condition), to=7), keepdims=0), op.Constant(value_int=0))

    return {torch.ops.aten._is_all_true.default: is_all_true}  # noqa: SLF001 - the name that graphs have it under
