"""PyTorch: tensors that share memory with NumPy, and models as runners, descriptions and exports."""

from dummyio_torch.backend import BACKEND
from dummyio_torch.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
