"""Rounds what a module computes as an artifact of lower precision does: the error that such an artifact cannot avoid."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

_PRODUCTS = ("mm", "addmm", "bmm", "baddbmm", "convolution", "scaled_dot_product")
"""Parts of the names of operators whose inputs are in 8 bits."""
_STEPS = 127


class Rounding(TorchDispatchMode):
    """While this is active, results are rounded to half precision, or the inputs of products and convolutions to 8 bits.

    `precision` is the name of a preset of tolerances: ``"float16"``, ``"bfloat16"``, ``"dynamic"``, ``"int8"``.
    """

    def __init__(self, precision: str) -> None:
        super().__init__()  # type: ignore[no-untyped-call] # untyped in torch
        self._half = _HALF.get(precision)

    def __torch_dispatch__(self, operator: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Run an operator on rounded inputs, or round its results."""
        del types
        kwargs = kwargs or {}
        if self._half is not None:
            half = self._half
            return tree_map(_for_floats(lambda tensor: tensor.to(half).to(tensor.dtype)), operator(*args, **kwargs))
        name = str(operator).partition(".")[2] if "." in str(operator) else str(operator)
        if any(part in name for part in _PRODUCTS):
            args, kwargs = tree_map(_for_floats(_round_to_8_bits), (args, kwargs))
        return operator(*args, **kwargs)


_HALF: Mapping[str, torch.dtype] = {"float16": torch.float16, "bfloat16": torch.bfloat16}


def _for_floats(change: Callable[[torch.Tensor], torch.Tensor]) -> Callable[[Any], Any]:
    def call(value: Any) -> Any:
        return change(value) if isinstance(value, torch.Tensor) and value.dtype is torch.float32 else value

    return call


def _round_to_8_bits(tensor: torch.Tensor) -> torch.Tensor:
    """Return a tensor on a symmetric grid of 255 numbers up to its largest finite magnitude; a vector is a bias, and stays."""
    if tensor.ndim < 2 or not tensor.numel():
        return tensor
    largest = torch.where(torch.isfinite(tensor), tensor.abs(), 0).max()
    step = torch.where(largest > 0, largest / _STEPS, 1)
    return torch.where(torch.isfinite(tensor), (tensor / step).round() * step, tensor)
