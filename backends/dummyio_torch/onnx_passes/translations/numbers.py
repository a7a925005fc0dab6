"""Numbers that are computed from sizes, and checks of a model's inputs."""

from collections.abc import Callable
from typing import Any

from onnxscript import opset18

op: Any = opset18
_INT64 = 7
"""The number of int64 in ONNX."""


def are_all_true(condition: Any) -> Any:
    """Translate ``aten._is_all_true``: models check their inputs with it, such as images and their positions in a text."""
    failing = op.ReduceSum(op.Cast(op.Not(condition), to=_INT64), keepdims=0)
    return op.Equal(failing, op.Constant(value_int=0))


def accept_symbolic_number(with_constant: Callable[..., Any], with_tensor: Callable[..., Any]) -> Callable[..., Any]:
    """Return a translation for a tensor and a number, which may be a constant or computed from sizes."""

    def translate(values: Any, number: Any) -> Any:
        if isinstance(number, (bool, int, float)):
            return with_constant(values, number)
        return with_tensor(values, op.CastLike(number, values))

    return translate
