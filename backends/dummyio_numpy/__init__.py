"""NumPy backend: the framework in which dummyio computes its values."""

from dummyio_numpy.backend import BACKEND
from dummyio_numpy.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
