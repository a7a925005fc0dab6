"""Functions of one or two elements."""

from typing import Any

from onnxscript import opset18

from dummyio_torch.onnx_passes.translations.constants import make_like

op: Any = opset18


def measure_hypotenuse(first: Any, second: Any) -> Any:
    """Translate ``aten.hypot``, scaled by the larger leg, so that large numbers do not overflow."""
    legs = op.Abs(first), op.Abs(second)
    largest, smallest = op.Max(*legs), op.Min(*legs)
    share = op.Div(smallest, op.Max(largest, make_like(1e-30, largest)))
    return op.Mul(largest, op.Sqrt(op.Add(op.Mul(share, share), make_like(1.0, share))))


def find_larger(first: Any, second: Any) -> Any:
    """Translate ``aten.fmax``: the larger number, or the other one where one is NaN."""
    return _ignore_nan(op.Max(first, second), first, second)


def find_smaller(first: Any, second: Any) -> Any:
    """Translate ``aten.fmin``: the smaller number, or the other one where one is NaN."""
    return _ignore_nan(op.Min(first, second), first, second)


def copy_sign(values: Any, signs: Any) -> Any:
    """Translate ``aten.copysign.Tensor``."""
    size = op.Abs(values)
    return op.Where(_is_negative(signs), op.Neg(size), size)


def _is_negative(values: Any) -> Any:
    """Return whether the sign bit is set, which a zero may have too."""
    zero = make_like(0.0, values)
    below = op.Less(values, zero)
    if values.dtype.is_integer():
        return below
    return op.Or(below, op.And(op.Equal(values, zero), op.Less(op.Reciprocal(values), zero)))


def _ignore_nan(result: Any, first: Any, second: Any) -> Any:
    if first.dtype.is_integer():
        return result
    return op.Where(op.IsNaN(first), second, op.Where(op.IsNaN(second), first, result))
