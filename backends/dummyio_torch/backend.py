"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dummyio.spec import InputSpec
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

    def describe(self, model: Any, *, dims: Mapping[str, Any]) -> InputSpec:
        """Return the description of an ``nn.Module``; the capability that makes it a source."""
        from dummyio_torch import source  # noqa: PLC0415 - making tensors does not need the reader

        return source.describe(model, dims=dims)

    def capture(self, model: Any, method: str | None = None) -> Any:
        """Return a context that records calls of a module, or of one of its methods; `dummyio.capture`."""
        from dummyio_torch.capture import Capture  # noqa: PLC0415 - as above

        return Capture(model, method)


BACKEND = TorchBackend()
