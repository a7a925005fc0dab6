"""NumPy arrays as tensors: nothing to convert."""

from __future__ import annotations

from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.spec.dtypes import DType

__all__ = ["from_numpy", "is_tensor", "to_numpy"]


def from_numpy(values: np.ndarray[Any, Any], dtype: DType, device: Any = None) -> np.ndarray[Any, Any]:
    """Return `values` themselves."""
    del dtype
    if device not in (None, "cpu"):
        raise OptionError(f"device={device!r}: NumPy arrays live on the CPU; leave device out.")
    return values


def to_numpy(tensor: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return the array itself."""
    return tensor


def is_tensor(value: object) -> bool:
    """Whether `value` is a NumPy array."""
    return isinstance(value, np.ndarray)
