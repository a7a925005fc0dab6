"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from dummyio_torch import cache, signature, tensors
from dummyio_torch.dtypes import DTYPE_MAPPER

__all__ = ["BACKEND", "TorchBackend"]


class TorchBackend:
    """PyTorch."""

    name = "pt"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)
    cache = staticmethod(cache.cache)


BACKEND = TorchBackend()
