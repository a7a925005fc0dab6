"""ONNX and ONNX Runtime: describe and run models; values of every dtype that the runtime can hold, flat and by path."""

from dummyio_onnx.backend import BACKEND
from dummyio_onnx.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
