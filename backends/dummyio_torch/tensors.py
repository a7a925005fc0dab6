"""NumPy arrays and PyTorch tensors: both ways share memory on the CPU.

PyTorch reads no array of ml_dtypes; the same bits as integers it does, and a view gives them their dtype back.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import torch

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError
from dummyio.spec.dtypes import DType
from dummyio_torch.dtypes import from_native, to_native

__all__ = ["from_numpy", "is_tensor", "to_numpy"]

_BITS = {1: (np.dtype(np.uint8), torch.uint8), 2: (np.dtype(np.int16), torch.int16)}


def from_numpy(values: np.ndarray[Any, Any], dtype: DType, device: Any = None) -> torch.Tensor:
    """Return a tensor on the memory of `values`, or a copy where it goes to another device.

    Without a `device` it goes to PyTorch's default device.

    Raises
    ------
    DTypeError
        for a dtype that PyTorch, or the device, lacks.
    OptionError
        for a device that is not there.
    """
    native = to_native(dtype)
    array = as_owned_array(values, dtype)
    if _is_plain(dtype):
        tensor = torch.from_numpy(array)
    else:
        tensor = torch.from_numpy(array.view(_BITS[array.itemsize][0])).view(native)
    place = torch.get_default_device() if device is None else device
    return tensor if place == _CPU else _move(tensor, place)


def to_numpy(tensor: torch.Tensor) -> np.ndarray[Any, Any]:
    """Return the tensor's values; on the CPU, the tensor's own memory."""
    dtype = from_native(tensor.dtype)
    if not _is_plain(dtype):
        tensor = tensor.view(_BITS[tensor.element_size()][1])
    return tensor.numpy(force=True).view(dtype.numpy)


def is_tensor(value: object) -> bool:
    """Whether `value` is a PyTorch tensor."""
    return isinstance(value, torch.Tensor)


_CPU = torch.device("cpu")


@cache
def _is_plain(dtype: DType) -> bool:
    """Whether NumPy itself has the dtype, so that PyTorch knows its arrays."""
    return dtype.numpy.isbuiltin == 1


def _move(tensor: torch.Tensor, device: Any) -> torch.Tensor:
    try:
        place = torch.device(device)
        if place.type == "meta":
            raise OptionError("device='meta': such tensors hold no values; use spec.abstract('pt') for them.")
        torch.empty(0, device=place)  # so that a missing device is told apart from a copy that fails
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise OptionError(
            f"device={device!r}: PyTorch has no such device here ({reason}). Use 'cpu', or one that it finds."
        ) from error
    try:
        return tensor.to(place)
    except TypeError as error:  # a device can lack a dtype that PyTorch has
        raise DTypeError(f"device={device!r} has no tensors of dtype {tensor.dtype}: {error}") from error
