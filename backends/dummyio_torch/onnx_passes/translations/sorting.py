"""Sorted values, and what is found by sorting or comparing: places, medians, places in a sorted sequence."""

from typing import Any

import onnx_ir as ir
from onnxscript import opset18

op: Any = opset18
_NARROW = frozenset([ir.DataType.BOOL, ir.DataType.INT8, ir.DataType.INT16, ir.DataType.UINT8])
"""What ONNX Runtime does not sort."""


def sort(values: Any, *, stable: bool | None = None, dim: int = -1, descending: bool = False) -> Any:
    """Translate ``aten.sort.stable``: ONNX puts the lower index first where values are equal, so each of its sorts is stable."""
    del stable
    if not values.shape:
        return op.Identity(values), op.Constant(value_int=0)
    sortable = op.Cast(values, to=int(ir.DataType.INT32)) if values.dtype in _NARROW else values
    result, places = op.TopK(sortable, _measure(values, dim), axis=dim, largest=int(descending), sorted=1)
    return op.CastLike(result, values), places


def find_median(values: Any, dim: int, keepdim: bool = False) -> Any:  # noqa: FBT002 - PyTorch's signature
    """Translate ``aten.median.dim``: of an even number of values, the smaller one of the two in the middle."""
    results = sort(values, dim=dim)
    middle = op.Div(op.Sub(_measure(values, dim), op.Constant(value_ints=[1])), op.Constant(value_ints=[2]))
    return tuple(_take(each, middle, dim, keepdim=keepdim) for each in results)


def find_median_of_all(values: Any) -> Any:
    """Translate ``aten.median.default``."""
    flat = op.Reshape(values, op.Constant(value_ints=[-1]))
    flat.shape, flat.dtype = ir.Shape([None]), values.dtype
    return find_median(flat, 0)[0]


def find_kth_value(values: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:  # noqa: FBT002 - PyTorch's signature
    """Translate ``aten.kthvalue``: the k-th smallest value, counted from 1, and its place."""
    place = op.Constant(value_ints=[k - 1])
    return tuple(_take(each, place, dim, keepdim=keepdim) for each in sort(values, dim=dim))


def find_places(
    sequence: Any,
    values: Any,
    *,
    out_int32: bool = False,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
) -> Any:
    """Translate ``aten.searchsorted.Tensor`` by comparing each value with each element: memory grows with both lengths."""
    if sorter is not None:
        sequence = op.GatherElements(sequence, sorter, axis=-1)
    after = right or side == "right"
    bounds = op.Unsqueeze(sequence, op.Constant(value_ints=[-2])) if len(sequence.shape) > 1 else sequence
    wanted = op.Unsqueeze(values, op.Constant(value_ints=[-1]))
    is_before = op.LessOrEqual(bounds, wanted) if after else op.Less(bounds, wanted)
    kind = ir.DataType.INT32 if out_int32 else ir.DataType.INT64
    return op.ReduceSum(op.Cast(is_before, to=int(kind)), op.Constant(value_ints=[-1]), keepdims=0)


def _measure(values: Any, dim: int) -> Any:
    """Return the size of an axis, as a list of one number."""
    axis = dim % len(values.shape)
    return op.Shape(values, start=axis, end=axis + 1)


def _take(values: Any, place: Any, dim: int, *, keepdim: bool) -> Any:
    """Return the values at one place of an axis."""
    taken = op.Gather(values, place, axis=dim)
    return taken if keepdim else op.Squeeze(taken, op.Constant(value_ints=[dim]))
