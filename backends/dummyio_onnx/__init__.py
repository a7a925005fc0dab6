"""ONNX and ONNX Runtime: values of every dtype that it can hold, flat and by path."""

from dummyio_onnx.backend import BACKEND
from dummyio_onnx.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
