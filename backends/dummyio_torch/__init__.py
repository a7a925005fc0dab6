"""PyTorch: tensors that share NumPy's memory, and the pasts of Transformers' models."""

from dummyio_torch.backend import BACKEND
from dummyio_torch.dtypes import DTYPE_MAPPER, from_native, to_native

__all__ = ["BACKEND", "DTYPE_MAPPER", "from_native", "to_native"]
