"""Adaptive average pooling for symbolic sizes: PyTorch's decomposition computes its windows for the size of the trace."""

from typing import Any

import torch


def average_adaptively(values: torch.Tensor, output_size: Any, axes: int) -> torch.Tensor:
    """Return the averages over as many windows as asked for, along the last axes: a product with a matrix for each axis.

    Parameters
    ----------
    values
        A tensor with any sizes.
    output_size
        How many windows there are along all of these axes, or along each; None for as many as there are values.
    axes
        How many axes are pooled.
    """
    counts = output_size if isinstance(output_size, (list, tuple)) else (output_size,) * axes
    for axis, count in zip(range(-axes, 0), counts, strict=True):
        if count == 1:
            values = values.mean(axis, keepdim=True)
        elif count is not None:
            values = torch.matmul(values.movedim(axis, -1), _weigh(values, axis, count)).movedim(-1, axis)
    return values


def _weigh(values: torch.Tensor, axis: int, count: int) -> torch.Tensor:
    """Return the share of each value in each window, [values, windows]: they begin and end where PyTorch's do."""
    size = torch.scalar_tensor(values.shape[axis], dtype=torch.int64, device=values.device)
    places = torch.arange(values.shape[axis], device=values.device)[:, None]
    windows = torch.arange(count, device=values.device)
    first = torch.div(windows * size, count, rounding_mode="floor")
    last = torch.div((windows + 1) * size + count - 1, count, rounding_mode="floor")
    inside = (places >= first) & (places < last)
    return inside.to(values.dtype) / (last - first)
