"""Distances between all rows of two matrices."""

from typing import Any

from onnxscript import opset18

from dummyio_torch.onnx_passes.translations.constants import make_like

op: Any = opset18
_FEW_ROWS = 25
"""Up to this many rows PyTorch subtracts them one by one: https://docs.pytorch.org/docs/stable/generated/torch.cdist.html"""
_WITHOUT_PRODUCT = 2
"""PyTorch's number for ``compute_mode="donot_use_mm_for_euclid_dist"``."""


def measure_distances(first: Any, second: Any, p: float, compute_mode: int | None = None) -> Any:
    """Translate ``aten._cdist_forward``, the Euclidean distance by a product where PyTorch certainly computes it so.

    Otherwise, and for other norms, memory holds the differences of all pairs of rows.
    """
    many = any(isinstance(rows.shape[-2], int) and rows.shape[-2] > _FEW_ROWS for rows in (first, second))
    if p == 2 and compute_mode != _WITHOUT_PRODUCT and many:
        return _measure_by_product(first, second)
    gaps = op.Abs(op.Sub(op.Unsqueeze(first, _axes(-2)), op.Unsqueeze(second, _axes(-3))))
    if p == float("inf"):
        return op.ReduceMax(gaps, _axes(-1), keepdims=0)
    if p == 0:
        is_other = op.CastLike(op.Greater(gaps, make_like(0.0, gaps)), gaps)
        return op.ReduceSum(is_other, _axes(-1), keepdims=0)
    if p == 1:
        return op.ReduceSum(gaps, _axes(-1), keepdims=0)
    if p == 2:
        return op.ReduceL2(gaps, _axes(-1), keepdims=0)
    powers = op.ReduceSum(op.Pow(gaps, make_like(p, gaps)), _axes(-1), keepdims=0)
    return op.Pow(powers, make_like(1 / p, gaps))


def _measure_by_product(first: Any, second: Any) -> Any:
    """Return the square root of ``|a|^2 + |b|^2 - 2ab``, or 0 where rounding makes this negative."""
    norms = op.ReduceSumSquare(first, _axes(-1), keepdims=1)
    others = op.Unsqueeze(op.ReduceSumSquare(second, _axes(-1), keepdims=0), _axes(-2))
    axes = list(range(len(second.shape)))
    product = op.MatMul(first, op.Transpose(second, perm=[*axes[:-2], axes[-1], axes[-2]]))
    squares = op.Sub(op.Add(norms, others), op.Mul(make_like(2.0, first), product))
    return op.Sqrt(op.Max(squares, make_like(0.0, first)))


def _axes(axis: int) -> Any:
    return op.Constant(value_ints=[axis])
