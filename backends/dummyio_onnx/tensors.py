"""NumPy arrays and values of ONNX Runtime.

Its Python interface supports the numbers of NumPy only. All other elements go in as raw bits with their element type: those
of fewer than 8 bits packed, because it would read unpacked ones wrongly without an error; strings through a small graph.
Everything comes out by a copy of the bits, because the array that `OrtValue.numpy` returns does not keep its memory alive.
"""

import ctypes
from collections.abc import Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
import onnxruntime as ort
from onnx import TensorProto, helper

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import DTypeError, OptionError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx.dtypes import from_native, to_native
from dummyio_onnx.packed_bits import pack_bits, unpack_bits


def from_numpy(values: Array, dtype: DType, device: Any = None) -> ort.OrtValue:
    """Return a value on the memory of `values`, which it keeps alive; a copy if it goes to another device.

    Parameters
    ----------
    values, dtype
        As in every backend.
    device
        ``"cpu"``, ``"cuda"`` or ``"cuda:1"``.

    Raises
    ------
    DTypeError
        If ONNX Runtime does not have the dtype.
    OptionError
        If the device is not available.
    """
    number = to_native(dtype)
    array = as_owned_array(values, dtype)
    kind, index = ("cpu", 0) if device is None else _resolve_device(device)
    if dtype is DType.STRING:
        value = _make_string_value(array)
    elif dtype.numpy.isbuiltin == 1:  # ONNX Runtime supports the arrays that NumPy itself has
        return ort.OrtValue.ortvalue_from_numpy(array, kind, index)
    else:
        bits = pack_bits(array, dtype.bits) if dtype.bits < 8 else array.view(f"uint{8 * array.itemsize}")
        value = ort.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, number)
    return value if kind == "cpu" else _copy_to_device(value, kind, index)


def to_numpy(tensor: ort.OrtValue) -> Array:
    """Return a copy of the value's elements, of their own dtype; raise `DTypeError` if it is not a tensor."""
    if not tensor.is_tensor():
        raise DTypeError(f"{tensor.data_type()} of ONNX Runtime is not a tensor: read its elements one by one.")
    dtype = from_native(tensor.element_type())
    if dtype is DType.STRING:
        return np.asarray(tensor.numpy(), object)
    if tensor.device_name() != "cpu":
        tensor = _copy_to_device(tensor, "cpu", 0)
    shape = tuple(tensor.shape())
    raw = np.empty(-(-prod(shape) * dtype.bits // 8), np.uint8)
    ctypes.memmove(raw.ctypes.data, tensor.data_ptr(), raw.size)
    if dtype.bits < 8:
        return unpack_bits(raw, dtype.bits, shape).view(dtype.numpy)
    return raw.view(dtype.numpy).reshape(shape)


def is_tensor(value: object) -> bool:
    """Whether `value` is an `OrtValue`."""
    return isinstance(value, ort.OrtValue)


def session_feeds(feeds: Mapping[str, Array | ort.OrtValue]) -> dict[str, Any]:
    """Return the feeds for ``session.run(None, ...)``: arrays whose dtype NumPy itself has, else an `OrtValue` each."""
    return {
        name: from_numpy(value, DType.of(value.dtype))
        if isinstance(value, np.ndarray) and value.dtype.isbuiltin != 1
        else value
        for name, value in feeds.items()
    }


def run_with_ort_values(
    session: ort.InferenceSession, feeds: Mapping[str, Array | ort.OrtValue], outputs: Sequence[str] | None = None
) -> dict[str, Array]:
    """Run a session and return its outputs as name → array, also those of dtypes that ``session.run`` cannot return.

    Parameters
    ----------
    session
        An ONNX Runtime session.
    feeds
        Name → array or `OrtValue`, for each input.
    outputs
        Names of the outputs; all of them by default.
    """
    values = {
        name: from_numpy(value, DType.of(value.dtype)) if isinstance(value, np.ndarray) else value
        for name, value in feeds.items()
    }
    wanted = list(outputs) if outputs is not None else [output.name for output in session.get_outputs()]
    results = session.run_with_ort_values(wanted, values)
    return {name: to_numpy(result) for name, result in zip(wanted, results, strict=True)}


def _copy_to_device(value: ort.OrtValue, device: str, index: int) -> ort.OrtValue:
    copy = ort.OrtValue.ortvalue_from_shape_and_type(value.shape(), value.element_type(), device, index)
    copy.update_inplace(value)
    return copy


def _resolve_device(device: Any) -> tuple[str, int]:
    name, _, index = device.partition(":") if isinstance(device, str) else ("", "", "")
    present = {"cpu", *(["cuda"] if "CUDAExecutionProvider" in ort.get_available_providers() else [])}
    if name not in present or not (index or "0").isdecimal() or (name == "cpu" and int(index or 0)):
        raise OptionError(
            f"device={device!r} is not a device that ONNX Runtime has here: use {' or '.join(sorted(present))}."
        )
    return name, int(index or 0)


def _make_string_value(values: Array) -> ort.OrtValue:
    """Return a value that holds a copy of an array of `str`."""
    texts = [text.encode() for text in values.reshape(-1)]
    held = helper.make_tensor("held", TensorProto.STRING, values.shape, texts)
    output = helper.make_tensor_value_info("text", TensorProto.STRING, values.shape)
    graph = helper.make_graph([helper.make_node("Identity", ["held"], ["text"])], "text", [], [output], [held])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=7)
    session = ort.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (value,) = session.run_with_ort_values(["text"], {})
    return value
