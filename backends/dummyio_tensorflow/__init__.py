"""TensorFlow: eager tensors, and `tf.TensorSpec`s with names that SavedModels keep."""

from dummyio_tensorflow.backend import BACKEND
from dummyio_tensorflow.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
