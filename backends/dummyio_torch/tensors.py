"""NumPy arrays and PyTorch tensors: both share their memory on the CPU.

PyTorch does not read arrays with dtypes of ml_dtypes: it gets the same bits as integers, and a view with the dtype.
"""

from functools import cache
from typing import Any

import numpy as np
import torch

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError, format_error_line
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.dtypes import from_native, to_native

_CPU = torch.device("cpu")
_BITS = {1: (np.dtype(np.uint8), torch.uint8), 2: (np.dtype(np.int16), torch.int16)}
"""Bytes of an element → the integers that have its bits, in NumPy and in PyTorch."""


def from_numpy(values: Array, dtype: DType, device: Any = None) -> torch.Tensor:
    """Return a tensor with the memory of an array, or a copy of it on another device.

    Parameters
    ----------
    values
        The array; the tensor owns it from now on.
    dtype
        Its canonical dtype.
    device
        The device; by default the default device of PyTorch.

    Raises
    ------
    DTypeError
        for a dtype that PyTorch, or the device, does not have.
    OptionError
        for a device that is not there.
    """
    native = to_native(dtype)
    array = as_owned_array(values, dtype)
    if _is_numpy_dtype(dtype):
        tensor = torch.from_numpy(array)
    else:
        tensor = torch.from_numpy(array.view(_BITS[array.itemsize][0])).view(native)
    target = torch.get_default_device() if device is None else device
    return tensor if target == _CPU else _move_to_device(tensor, target)


def to_numpy(tensor: torch.Tensor) -> Array:
    """Return the values of a tensor; on the CPU, with its memory."""
    dtype = from_native(tensor.dtype)
    if not _is_numpy_dtype(dtype):
        tensor = tensor.view(_BITS[tensor.element_size()][1])
    return tensor.numpy(force=True).view(dtype.numpy)


def is_tensor(value: object) -> bool:
    """Whether `value` is a PyTorch tensor."""
    return isinstance(value, torch.Tensor)


@cache
def _is_numpy_dtype(dtype: DType) -> bool:
    """Whether NumPy itself has the dtype, so that PyTorch reads its arrays."""
    return dtype.numpy.isbuiltin == 1


def _move_to_device(tensor: torch.Tensor, device: Any) -> torch.Tensor:
    try:
        target = torch.device(device)
        if target.type == "meta":
            raise OptionError("device='meta': such tensors hold no values; use spec.abstract('pt') for them.")
        torch.empty(0, device=target)  # fails for a missing device only, and not for the values
    except (RuntimeError, AssertionError, TypeError, NotImplementedError) as error:
        raise OptionError(
            f"device={device!r}: PyTorch does not have this device here ({format_error_line(error)}). Use 'cpu', or another "
            "device that it has."
        ) from error
    try:
        return tensor.to(target)
    except TypeError as error:  # a device can lack a dtype that PyTorch has
        raise DTypeError(f"device={device!r} has no tensors of dtype {tensor.dtype}: {error}") from error
