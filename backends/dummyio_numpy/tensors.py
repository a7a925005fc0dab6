"""NumPy arrays as tensors: there is nothing to convert."""

from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array


def from_numpy(values: Array, dtype: DType, device: Any = None) -> Array:
    """Return `values` themselves."""
    del dtype
    if device not in (None, "cpu"):
        raise OptionError(f"device={device!r}: NumPy arrays are on the CPU; leave device out.")
    return values


def to_numpy(tensor: Array) -> Array:
    """Return the array itself."""
    return tensor


def is_tensor(value: object) -> bool:
    """Whether `value` is a NumPy array."""
    return isinstance(value, np.ndarray)
