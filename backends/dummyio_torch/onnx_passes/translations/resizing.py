"""More or fewer elements along an axis.

Resizing to the nearest element, ONNX Runtime divides by the rounded quotient of two sizes, and may take the element before.
"""

from collections.abc import Sequence
from typing import Any

import onnx_ir as ir
from onnxscript import opset18
from onnxscript.function_libs.torch_lib.ops import core, nn

op: Any = opset18
_SPACE = 2
"""The first axis that is resized."""


def resize_to_nearest(values: Any, output_size: Any = None, scale_factors: Sequence[float] | None = None) -> Any:
    """Translate ``aten.upsample_nearest2d.vec`` and its like: to constant sizes, by the product in float32 that PyTorch computes.

    Sizes that grow by a whole number are left to ONNX's operator, which is fast and right there. So are sizes computed from others: most
    often they are doubled.
    """
    if output_size is None or not all(isinstance(size, int) for size in output_size):
        return nn.aten_upsample_nearestnd_vec(values, output_size, scale_factors)
    axes = dict(enumerate(output_size, _SPACE))
    if all(isinstance(values.shape[axis], int) and size % values.shape[axis] == 0 for axis, size in axes.items()):
        return nn.aten_upsample_nearestnd_vec(values, output_size, scale_factors)
    for axis, size in axes.items():
        values = op.Gather(values, _find_places(values, axis, size), axis=axis)
        values.shape = None
    return values


def _find_places(values: Any, axis: int, size: int) -> Any:
    """Return the place in an axis that each of so many elements is taken from."""
    length = op.Shape(values, start=axis, end=axis + 1)
    share = op.Div(op.Cast(length, to=int(ir.DataType.FLOAT)), op.Constant(value_floats=[float(size)]))
    steps = op.Constant(value_floats=[float(step) for step in range(size)])
    places = op.Cast(op.Floor(op.Mul(steps, share)), to=int(ir.DataType.INT64))
    return op.Min(places, op.Sub(length, op.Constant(value_ints=[1])))


def repeat_elements(values: Any, repeats: Any, dim: int | None = None, output_size: Any = None) -> Any:
    """Translate ``aten.repeat_interleave.self_int``; a constant number is left to the translation of onnxscript."""
    if isinstance(repeats, int):
        return core.aten_repeat_interleave_self_int(values, repeats, dim, output_size)
    if dim is None:
        values, dim = op.Reshape(values, op.Constant(value_ints=[-1])), 0
        rank = 1
    else:
        rank = len(values.shape)
    axis = dim % rank
    count = op.Reshape(repeats, op.Constant(value_ints=[-1]))
    others = [1] * (rank - axis - 1)
    shape = op.Concat(count, op.Constant(value_ints=others), axis=0) if others else count
    repeated = op.Expand(op.Unsqueeze(values, op.Constant(value_ints=[axis + 1])), shape)
    sizes = [op.Constant(value_ints=[-1]), op.Shape(values, start=axis + 1)][: 1 + bool(others)]
    sizes = [op.Shape(values, start=0, end=axis), *sizes] if axis else sizes
    return op.Reshape(repeated, op.Concat(*sizes, axis=0) if len(sizes) > 1 else sizes[0])
