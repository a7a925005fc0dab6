"""The records of a call: the shape, dtype and range of each tensor, in the containers that the caller used."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from dummyio.errors import SpecError
from dummyio.spec.tensor_spec import MAX_NESTING
from dummyio_torch.calling.transformers_cache import read_cache


@dataclass(frozen=True)
class Recorded:
    """The record of one tensor."""

    shape: tuple[int, ...]
    dtype: torch.dtype
    low: float = 0.0
    high: float = 0.0
    """The smallest and the largest value; 0 if there are none."""
    finite: bool = True
    """Whether no value is infinite."""
    missing: bool = False
    """Whether values are missing: not numbers (NaN)."""
    side: str | None = None
    """The side of the zeros in rows of 0 and 1: ``left``, ``right``, ``none``; None if the tensor is not a mask."""
    hidden: str | None = None
    """The side of the ones, in the same words."""
    counts_from: int | None = None
    """The number from which every row counts up by one."""


@dataclass(frozen=True)
class Container:
    """A container of recorded trees."""

    kind: str
    items: tuple[tuple[str, Tree], ...]


Tree = Recorded | Container
Call = dict[str, Tree]
Axis = tuple[str, int]
"""An input's path, and the number of its axis."""


def record_value(value: Any, depth: int = 0) -> Tree | None:
    """Return the record of an argument; None for an argument that is not data; raise `SpecError` for one that has no end."""
    if depth > MAX_NESTING:
        raise SpecError(
            f"more than {MAX_NESTING} containers inside each other, or one that holds itself: give the module plain containers."
        )
    if isinstance(value, torch.Tensor):
        return _record_tensor(value)
    layers = read_cache(value)
    if layers is not None:
        value, kind = layers, "cache"
    elif isinstance(value, Mapping):
        kind = "dict"
    elif isinstance(value, (list, tuple)):
        kind = "tuple" if isinstance(value, tuple) else "list"
    else:
        return None
    pairs = value.items() if isinstance(value, Mapping) else ((str(place), item) for place, item in enumerate(value))
    items = tuple((str(key), tree) for key, item in pairs if (tree := record_value(item, depth + 1)) is not None)
    return Container(kind, items) if items else None


def _record_tensor(tensor: torch.Tensor) -> Recorded:
    shape, dtype = tuple(tensor.shape), tensor.dtype
    values = tensor.detach()
    if tensor.is_meta or not values.numel() or dtype.is_complex:
        return Recorded(shape, dtype)
    if dtype.is_floating_point:
        values = values.to(torch.float64)
        finite, missing = not bool(values.isinf().any()), bool(values.isnan().any())
        values = values[values.isfinite()]
        if not values.numel():
            return Recorded(shape, dtype, finite=finite, missing=missing)
        low, high = float(values.min()), float(values.max())
        return Recorded(shape, dtype, low, high, finite, missing, _side(tensor), _side(1 - tensor))
    values = values.to(torch.int64)
    return Recorded(
        shape,
        dtype,
        int(values.min()),
        int(values.max()),
        side=_side(values),
        hidden=_side(1 - values),
        counts_from=_counts_from(values),
    )


def _side(tensor: torch.Tensor) -> str | None:
    if tensor.ndim < 1 or not bool(((tensor == 0) | (tensor == 1)).all()):
        return None
    rows = tensor.detach().reshape(-1, tensor.shape[-1]).to(torch.int8)
    steps = rows[:, 1:] - rows[:, :-1]
    if bool((rows == 1).all()):
        return "none"
    if bool((steps <= 0).all()) and bool((rows[:, 0] == 1).all()):
        return "right"
    return "left" if bool((steps >= 0).all()) and bool((rows[:, -1] == 1).all()) else None


def _counts_from(values: torch.Tensor) -> int | None:
    if values.ndim < 1 or values.shape[-1] < 1:
        return None
    rows = values.reshape(-1, values.shape[-1])
    first = int(rows[0, 0])
    counted = torch.arange(first, first + rows.shape[-1], device=rows.device)
    return first if bool((rows == counted).all()) else None
