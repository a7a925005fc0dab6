"""Constants of the type of a tensor."""

from typing import Any

from onnxscript import opset18

op: Any = opset18


def make_like(number: float, values: Any) -> Any:
    """Return a constant scalar of the type of a tensor."""
    return op.CastLike(op.Constant(value_float=number), values)
