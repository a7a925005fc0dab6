"""NumPy arrays and TensorFlow tensors, always by copy.

TensorFlow can share NumPy's memory through DLPack, and then ends the whole process at the first operation on a buffer that
is not aligned to 64 bytes: most of NumPy's are not.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from dummyio.backend.native_dtypes import as_owned_array
from dummyio.errors import OptionError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_tensorflow.dtypes import from_native, to_native


def from_numpy(values: Array, dtype: DType, device: Any = None) -> Any:
    """Return an eager tensor with a copy of `values`.

    Raises
    ------
    DTypeError
        for a dtype that TensorFlow lacks.
    OptionError
        for a device that this machine does not have.
    """
    native = to_native(dtype)
    array = as_owned_array(values, dtype)
    if device is None:
        return tf.convert_to_tensor(array, native)
    with tf.device(_resolve_device(device)):
        return tf.convert_to_tensor(array, native)


def to_numpy(tensor: Any) -> Array:
    """Return a copy of the tensor's values; bytes become text, those that are not UTF-8 as surrogates."""
    dtype = from_native(tensor.dtype)
    values = np.asarray(tensor.numpy(), dtype.numpy)  # a scalar is not an array
    if dtype is not DType.STRING:
        return values
    texts = [text.decode("utf-8", "surrogateescape") for text in values.reshape(-1)]
    return np.array(texts, object).reshape(values.shape)


def is_tensor(value: object) -> bool:
    """Whether `value` is a TensorFlow tensor, or a variable."""
    return isinstance(value, (tf.Tensor, tf.Variable))


def _resolve_device(device: Any) -> str:
    """Return the full name of a device; for a missing one, TensorFlow would take the CPU without an error."""
    present = {place.name: place for place in tf.config.list_logical_devices()}
    known = ", ".join(present)
    try:
        wanted = tf.DeviceSpec.from_string(device)
    except (ValueError, AttributeError, TypeError) as error:
        raise OptionError(f"device={device!r} is not a TensorFlow device: use one of {known}.") from error
    for name, place in present.items():
        found = tf.DeviceSpec.from_string(name)
        if place.device_type == wanted.device_type and wanted.device_index in (None, found.device_index):
            return str(name)
    raise OptionError(f"device={device!r}: TensorFlow has no such device here; use one of {known}.")
