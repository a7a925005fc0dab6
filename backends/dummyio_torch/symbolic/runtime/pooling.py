"""Adaptive pooling for symbolic sizes: PyTorch's decomposition computes its windows for the size of the trace, or there is none."""

from math import prod
from typing import Any

import torch
from torch.nn import functional


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
    for axis, count in _list_windows(output_size, axes):
        if count == 1:
            values = values.mean(axis, keepdim=True)
        elif count is not None:
            values = torch.matmul(values.movedim(axis, -1), _weigh(values, axis, count)).movedim(-1, axis)
    return values


def maximize_adaptively(
    values: torch.Tensor,
    output_size: Any,
    return_indices: bool = False,  # noqa: FBT002 - PyTorch's signature
    *,
    axes: int,
    indexed: bool = False,
) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
    """Return the maxima of as many windows as asked for, along the last axes; with the places of each if `indexed`.

    The places are those in the pooled axes, row by row; of equal values the first counts, as in PyTorch. `return_indices` is
    decided by the function that was called.
    """
    del return_indices
    pooled = list(values.shape)[-axes:]
    places = (
        torch.arange(prod(pooled), device=values.device).reshape(pooled).expand(values.shape) if indexed else values
    )
    for axis, count in reversed(_list_windows(output_size, axes)):
        if count is None:
            continue
        inside, _ = _find_windows(values, axis, count)
        spread = values.movedim(axis, -1).unsqueeze(-1).masked_fill(~inside, -torch.inf)
        if indexed:
            first = spread.argmax(-2)
            places = places.movedim(axis, -1).gather(-1, first).movedim(-1, axis)
        values = spread.amax(-2).movedim(-1, axis)
    return (values, places) if indexed else values


def maximize_windows(values: torch.Tensor, *options: Any, **named: Any) -> torch.Tensor:
    """Return the maxima of windows along the last axis: ``max_pool1d`` makes its size a constant, and with places it does not."""
    if not isinstance(values.shape[-1], torch.SymInt):
        return functional.max_pool1d(values, *options, **named)
    named.pop("return_indices", None)
    return functional.max_pool1d_with_indices(values, *options, **named)[0]


def _list_windows(output_size: Any, axes: int) -> list[tuple[int, Any]]:
    """Return the pooled axes, each with its number of windows."""
    counts = output_size if isinstance(output_size, (list, tuple)) else (output_size,) * axes
    return list(zip(range(-axes, 0), counts, strict=True))


def _weigh(values: torch.Tensor, axis: int, count: int) -> torch.Tensor:
    """Return the share of each value in each window, [values, windows]."""
    inside, lengths = _find_windows(values, axis, count)
    return inside.to(values.dtype) / lengths


def _find_windows(values: torch.Tensor, axis: int, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return whether each value is in each window, [values, windows], and their lengths: they begin and end where PyTorch's do."""
    size = torch.scalar_tensor(values.shape[axis], dtype=torch.int64, device=values.device)
    places = torch.arange(values.shape[axis], device=values.device)[:, None]
    windows = torch.arange(count, device=values.device)
    first = torch.div(windows * size, count, rounding_mode="floor")
    last = torch.div((windows + 1) * size + count - 1, count, rounding_mode="floor")
    return (places >= first) & (places < last), last - first
