"""Elements of 2 and 4 bits as ONNX packs them: the first in the lowest bits, the last byte filled with zeros."""

from math import prod
from typing import Any

import numpy as np

from dummyio.typing import Array

Bytes = np.ndarray[Any, np.dtype[np.uint8]]


def pack_bits(values: Array, bits: int) -> Bytes:
    """Return an array of the same shape whose *memory* begins with the packed elements.

    ONNX Runtime takes the shape from an array, and reads its memory only to the end of the packed elements.
    """
    per_byte = 8 // bits
    out = np.zeros(values.shape, np.uint8)
    single = values.view(np.uint8).reshape(-1) & np.uint8((1 << bits) - 1)
    flat = out.reshape(-1)
    for place in range(per_byte):
        part = single[place::per_byte]
        flat[: part.size] |= part << np.uint8(place * bits)
    return out


def unpack_bits(packed: Bytes, bits: int, shape: tuple[int, ...]) -> Bytes:
    """Return one element per byte, in its lowest bits, as ml_dtypes has them."""
    shifts = np.arange(0, 8, bits, dtype=np.uint8)
    single = (packed[:, None] >> shifts) & np.uint8((1 << bits) - 1)
    return single.reshape(-1)[: prod(shape)].reshape(shape)
