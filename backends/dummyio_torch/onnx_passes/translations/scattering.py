"""Values that are scattered to places, of which several may be the same."""

from typing import Any

from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core

from dummyio_torch.onnx_passes.translations.constants import make_like

op: Any = opset18


def scatter(values: Any, dim: int, index: Any, source: Any, reduce: str, include_self: bool = True) -> Any:  # noqa: FBT002 - PyTorch's signature
    """Translate ``aten.scatter_reduce.two``; a mean is a sum divided by a count."""
    if reduce != "mean":
        return core.aten_scatter_reduce(values, dim, index, source, reduce, include_self)
    if values.dtype.is_integer() or not values.shape:
        raise NotImplementedError("a mean of integers, or of scalars, by scatter_reduce has no translation.")
    zeros = op.Expand(make_like(0.0, values), op.Shape(values))
    ones = op.Expand(make_like(1.0, values), op.Shape(index))
    count = op.ScatterElements(zeros, index, ones, axis=dim, reduction="add")
    if include_self:
        return op.Div(_scatter_sum(values, index, source, dim), op.Add(count, make_like(1.0, values)))
    mean = op.Div(_scatter_sum(zeros, index, source, dim), op.Max(count, make_like(1.0, values)))
    return op.Where(op.Greater(count, zeros), mean, values)


def _scatter_sum(values: Any, index: Any, source: Any, dim: int) -> Any:
    return op.ScatterElements(values, index, source, axis=dim, reduction="add")
