"""Tensors that PyTorch makes of a size alone, for a symbolic one: windows of a signal, and the places of a triangle."""

from collections.abc import Callable, Sequence
from math import pi
from typing import Any

import torch


def make_window(
    window_length: Any,
    periodic: bool = True,  # noqa: FBT002 - PyTorch's signature
    *,
    cosines: Sequence[float],
    dtype: torch.dtype | None = None,
    device: Any = None,
    **_: Any,
) -> torch.Tensor:
    """Return a window of these cosines with alternating signs: ``torch.hann_window`` has a half of the constant and of the first.

    A window of one sample is 1.
    """
    dtype = dtype or torch.get_default_dtype()
    places = torch.arange(window_length, device=device)
    period = torch.scalar_tensor(window_length if periodic else window_length - 1, dtype=dtype, device=device)
    angles = places.to(dtype) * (2 * pi / period.clamp(min=1))
    parts = [(-1) ** order * share * torch.cos(order * angles) for order, share in enumerate(cosines)]
    alone = torch.scalar_tensor(window_length, dtype=torch.int64, device=device) == 1
    return torch.where(alone, torch.ones_like(angles), sum(parts[1:], parts[0]))


def make_hamming_window(
    window_length: Any,
    periodic: bool = True,  # noqa: FBT002 - PyTorch's signature
    alpha: float = 0.54,
    beta: float = 0.46,
    **options: Any,
) -> torch.Tensor:
    """``torch.hamming_window``."""
    return make_window(window_length, periodic, cosines=(alpha, beta), **options)


def list_triangle(
    cut: Callable[..., torch.Tensor],
    row: Any,
    col: Any,
    offset: int = 0,
    *,
    dtype: torch.dtype = torch.long,
    device: Any = None,
    **_: Any,
) -> torch.Tensor:
    """``torch.triu_indices`` or ``torch.tril_indices``, by the function that cuts a matrix: [2, places]."""
    return torch.nonzero(cut(torch.ones(row, col, device=device), offset)).mT.to(dtype)
