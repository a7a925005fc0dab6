"""Tensors of the caller (NumPy, PyTorch) as values of ONNX Runtime, and values of the runtime as tensors of the same kind.

Memory is shared in both directions wherever the element type allows it: the runtime reads the caller's array, and the array or
tensor that comes out keeps the runtime's value alive.
"""

import ctypes
import sys
from typing import Any

import numpy as np
import onnxruntime as ort

from dummyio.backend.registry import load_backend
from dummyio.errors import DTypeError
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_onnx import tensors
from dummyio_onnx.dtypes import find_dtype, to_native

Value = Any
"""The runtime's own value, which `onnxruntime.OrtValue` wraps: the wrapper costs as much as binding it."""

_CPU: Any = ort.OrtValue.ortvalue_from_numpy(np.zeros(1, np.float32))  # its class and device are not public
_VALUE_TYPE: Any = type(_CPU._ortvalue)  # noqa: SLF001 - the runtime's own value
_DEVICE: Any = ort.OrtDevice.make("cpu", 0)._get_c_device()  # noqa: SLF001 - what `ortvalue_from_numpy` takes
_FROM_NUMPY: Any = _VALUE_TYPE.ortvalue_from_numpy
_LARGEST_EXACT = {"float16": 1 << 11, "bfloat16": 1 << 8, "float32": 1 << 24, "float64": 1 << 53}
_BOOL = to_native(DType.BOOL)


def is_value(value: object) -> bool:
    """Whether an object is a value of the runtime, wrapped or not."""
    return isinstance(value, (_VALUE_TYPE, ort.OrtValue))


def is_torch_tensor(value: object) -> bool:
    """Whether an object is a tensor of PyTorch; does not import PyTorch."""
    torch = sys.modules.get("torch")
    return torch is not None and isinstance(value, torch.Tensor)


def is_tensor(value: object) -> bool:
    """Whether an object is a tensor that a model takes."""
    return isinstance(value, np.ndarray) or is_torch_tensor(value) or is_value(value)


def unwrap_value(value: Any) -> Value:
    """Return the runtime's own value."""
    return value._ortvalue if isinstance(value, ort.OrtValue) else value  # noqa: SLF001 - see `Value`


def wrap_value(value: Value) -> ort.OrtValue:
    """Return a value as the class that ONNX Runtime's public functions take."""
    return ort.OrtValue(value)


def get_shape(array: Any) -> tuple[int, ...]:
    """Return the shape of an array, or of a value of the runtime."""
    shape = array.shape
    return shape if type(shape) is tuple else tuple(shape())


def to_array(value: Any, name: str) -> Array | Value:
    """Return a tensor as an array on its memory; a value of the runtime as it is.

    Raises
    ------
    DTypeError
        if it is not a tensor, or on another device than the CPU.
    """
    if isinstance(value, np.ndarray):
        return value
    if is_torch_tensor(value):
        if value.device.type != "cpu":
            raise DTypeError(f"{name} is a tensor on {value.device}: give it on the CPU, {name}.cpu().")
        try:
            return value.detach().numpy()
        except (TypeError, RuntimeError):  # a dtype that NumPy itself does not have, a conjugate
            return load_backend("pt").to_numpy(value.detach())
    if is_value(value):
        return unwrap_value(value)
    raise DTypeError(f"{name} is a {type(value).__name__}: give a NumPy array or a tensor of PyTorch.")


def convert_dtype(array: Array, declared: DeclaredTensor, name: str) -> Array:
    """Return an array in the dtype that the graph declares, if no element changes its kind or, as an integer, its value.

    Raises
    ------
    DTypeError
        if the graph's dtype cannot hold the elements.
    """
    wanted = declared.dtype
    if wanted is None or wanted.numpy == array.dtype:
        return array
    given = DType.of(array.dtype)
    whole = ("int", "uint", "bool")
    if given.kind == "float" and wanted.kind == "float":
        return array.astype(wanted.numpy)
    if given.kind in whole and wanted.kind in (*whole, "float"):
        if wanted.kind == "bool":
            low, high = 0, 1
        elif wanted.kind == "float":
            high = _LARGEST_EXACT.get(wanted.value, 1)
            low = -high
        else:
            info = np.iinfo(wanted.numpy)
            low, high = int(info.min), int(info.max)
        if not array.size or (int(array.min()) >= low and int(array.max()) <= high):
            return array.astype(wanted.numpy)
        raise DTypeError(
            f"{name} has values from {array.min()} to {array.max()}: the model takes {wanted.value}, which holds {low} to "
            f"{high}. Give values in that range."
        )
    raise DTypeError(
        f"{name} is {given.value}: the model takes {wanted.value}, and a conversion would change the values. Convert it."
    )


def make_value(array: Array, dtype: DType | None, held: list[Any]) -> Value:
    """Return a value of the runtime on an array's memory, which lives as long as what is appended to `held`."""
    if dtype is None or dtype.numpy.isbuiltin == 1:
        if not array.flags.c_contiguous:
            array = np.ascontiguousarray(array)
        held.append(array)
        return _FROM_NUMPY(array, _DEVICE)
    wrapped = tensors.from_numpy(array, dtype)
    held.append((array, wrapped))
    return unwrap_value(wrapped)


def copy_to_value(array: Array, dtype: DType) -> Value:
    """Return a value of the runtime, in memory of its own, with the elements of an array."""
    value = ort.OrtValue.ortvalue_from_shape_and_type(list(array.shape), to_native(dtype), "cpu", 0)
    whole = np.ascontiguousarray(array)
    if whole.nbytes:
        ctypes.memmove(value.data_ptr(), whole.ctypes.data, whole.nbytes)
    return unwrap_value(value)


def to_result(value: Value, kind: str, text: str | None = None) -> Any:
    """Return a value on the CPU as an array (``np``) or a tensor (``pt``) on its memory; a tensor of the caller as it is.

    Parameters
    ----------
    value
        A value of the runtime.
    kind
        The kind of tensor to return.
    text
        What `get_type_text` returns for its dtype, if it is known.
    """
    if type(value) is not _VALUE_TYPE:
        return value
    if kind == "pt":
        return _to_torch(value)
    text = get_type_text(find_dtype(value.element_type())) if text is None else text
    pointer = value.data_ptr()
    if not text or not pointer:
        return tensors.to_numpy(wrap_value(value))
    return np.asarray(_Memory(value, pointer, text))


def get_type_text(dtype: DType | None) -> str:
    """Return NumPy's text for a dtype of its own; an empty text for all others."""
    plain = dtype is not None and dtype is not DType.STRING and dtype.numpy.isbuiltin == 1
    return dtype.numpy.str if plain and dtype is not None else ""


class _Memory:
    """A value's memory, as NumPy's array interface describes it."""

    __slots__ = ("__array_interface__", "value")

    def __init__(self, value: Value, pointer: int, text: str) -> None:
        self.value = value
        self.__array_interface__ = {
            "data": (pointer, False),
            "shape": tuple(value.shape()),
            "typestr": text,
            "version": 3,
        }


def _to_torch(value: Value) -> Any:
    torch = sys.modules["torch"]
    if value.element_type() == _BOOL or not value.data_ptr():  # DLPack has bool in newer versions only
        return torch.from_numpy(tensors.to_numpy(wrap_value(value)))
    return torch.utils.dlpack.from_dlpack(value.to_dlpack())


def keep_alone(value: Value) -> Value:
    """Return a value on the same memory that does not keep the other results of its run alive."""
    return _VALUE_TYPE.from_dlpack(value.to_dlpack(), False)
