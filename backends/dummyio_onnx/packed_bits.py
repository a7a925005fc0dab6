"""Elements of 2 and 4 bits, packed as ONNX packs them: the first in the lowest bits, the last byte filled with zeros."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

__all__ = ["pack", "unpack"]

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def pack(values: np.ndarray[Any, Any], bits: int) -> Bytes:
    """Return an array of the same shape whose *memory* begins with the packed elements.

    The shape is what ONNX Runtime takes from an array, and the memory it reads only as far as the packed elements go.
    """
    per = 8 // bits
    out = np.zeros(values.shape, np.uint8)
    single = values.view(np.uint8).reshape(-1) & np.uint8((1 << bits) - 1)
    flat = out.reshape(-1)
    for place in range(per):
        part = single[place::per]
        flat[: part.size] |= part << np.uint8(place * bits)
    return out


def unpack(packed: Bytes, bits: int, shape: tuple[int, ...]) -> Bytes:
    """Return one element per byte, in its lowest bits, as ml_dtypes has them."""
    per = 8 // bits
    mask = np.uint8((1 << bits) - 1)
    single = np.empty((packed.size, per), np.uint8)
    for place in range(per):
        single[:, place] = (packed >> np.uint8(place * bits)) & mask
    return single.reshape(-1)[: prod(shape)].reshape(shape)
