"""NumPy arrays and ONNX Runtime's values.

Its Python side knows NumPy's numbers only. The rest goes in as raw bits with their element type: elements of fewer than 8
bits packed, for that is how it reads them (and unpacked ones it would read wrong, without a word); text through a
small graph, for there is no other door. Everything comes out by a copy of the bits: the array that `OrtValue.numpy`
returns does not keep its memory alive.
"""

from __future__ import annotations

import ctypes
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnxruntime as ort

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.dtypes import from_native, to_native
from dummyio_onnx.packed_bits import pack, unpack
from dummyio_onnx.string_values import string_value

__all__ = ["from_numpy", "is_tensor", "run_with_ort_values", "session_feeds", "to_numpy"]


def from_numpy(values: Array, dtype: DType, device: Any = None) -> ort.OrtValue:
    """Return a value on the memory of `values`, which it keeps alive; a copy where it goes to another device.

    Parameters
    ----------
    values, dtype
        As in every backend.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises
    ------
    DTypeError
        for a dtype that ONNX Runtime lacks.
    OptionError
        for a device that is not there.
    """
    number = to_native(dtype)
    array = as_owned_array(values, dtype)
    place, index = ("cpu", 0) if device is None else _place(device)
    if dtype is DType.STRING:
        value = string_value(array)
    elif _is_plain(dtype):
        return ort.OrtValue.ortvalue_from_numpy(array, place, index)
    else:
        bits = pack(array, dtype.bits) if dtype.bits < 8 else array.view(f"uint{8 * array.itemsize}")
        value = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, number)
    return value if place == "cpu" else _copied(value, place, index)


def to_numpy(tensor: ort.OrtValue) -> Array:
    """Return a copy of the value's elements, of their own dtype; raise `DTypeError` for what is no tensor."""
    if not tensor.is_tensor():
        raise DTypeError(f"{tensor.data_type()} of ONNX Runtime is no tensor: read its elements one by one.")
    dtype = from_native(tensor.element_type())
    if dtype is DType.STRING:
        return np.asarray(tensor.numpy(), object)
    if tensor.device_name() != "cpu":
        tensor = _copied(tensor, "cpu", 0)
    shape = tuple(tensor.shape())
    raw = np.empty(-(-prod(shape) * dtype.bits // 8), np.uint8)
    ctypes.memmove(raw.ctypes.data, tensor.data_ptr(), raw.size)
    if dtype.bits < 8:
        return unpack(raw, dtype.bits, shape).view(dtype.numpy)
    return raw.view(dtype.numpy).reshape(shape)


def is_tensor(value: object) -> bool:
    """Whether `value` is an `OrtValue`."""
    return isinstance(value, ort.OrtValue)


def session_feeds(feeds: Mapping[str, Array | ort.OrtValue]) -> dict[str, Any]:
    """Return what ``session.run(None, ...)`` takes: arrays where ONNX Runtime knows their dtype, else an `OrtValue`."""
    return {
        name: from_numpy(value, DType.of(value.dtype))
        if isinstance(value, np.ndarray) and not _is_fed(value)
        else value
        for name, value in feeds.items()
    }


def run_with_ort_values(
    session: ort.InferenceSession, feeds: Mapping[str, Array | ort.OrtValue], outputs: Sequence[str] | None = None
) -> dict[str, Array]:
    """Run `session` and return its outputs as name → array: dtypes that ``session.run`` cannot return included.

    Parameters
    ----------
    session
        An ONNX Runtime session.
    feeds
        Name → array or `OrtValue`, for every input.
    outputs
        Names of the outputs wanted; all where not given.
    """
    values = {
        name: from_numpy(value, DType.of(value.dtype)) if isinstance(value, np.ndarray) else value
        for name, value in feeds.items()
    }
    wanted = list(outputs) if outputs is not None else [output.name for output in session.get_outputs()]
    results = session.run_with_ort_values(wanted, values)
    return {name: to_numpy(result) for name, result in zip(wanted, results, strict=True)}


def _is_plain(dtype: DType) -> bool:
    """Whether NumPy itself has the dtype, so that ONNX Runtime knows its arrays."""
    return dtype is not DType.STRING and dtype.numpy.isbuiltin == 1


def _is_fed(array: Array) -> bool:
    return array.dtype.isbuiltin == 1


def _copied(value: ort.OrtValue, place: str, index: int) -> ort.OrtValue:
    copy = ort.OrtValue.ortvalue_from_shape_and_type(value.shape(), value.element_type(), place, index)
    copy.update_inplace(value)
    return copy


def _place(device: Any) -> tuple[str, int]:
    name, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    present = {"cpu", *(["cuda"] if "CUDAExecutionProvider" in ort.get_available_providers() else [])}
    if name not in present or not (index or "0").isdecimal() or (name == "cpu" and int(index or 0)):
        raise OptionError(
            f"device={device!r}: ONNX Runtime has no such device here; use {' or '.join(sorted(present))}."
        )
    return name, int(index or 0)
