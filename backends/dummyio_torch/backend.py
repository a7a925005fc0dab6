"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio_torch import signature, tensors
from dummyio_torch.calling import transformers_cache as cache
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
        from dummyio_torch.description import describe_module as source  # noqa: PLC0415 - making tensors does not need the reader

        return source.describe(model, dims=dims)

    @cached_property
    def exporters(self) -> Mapping[str, Callable[..., Any]]:
        """Format → function that writes it; the capability that makes modules exportable."""
        from dummyio_torch.exporting.exporters import exporters  # noqa: PLC0415 - as above

        return exporters

    def components(self, model: Any, spec: InputSpec, *, past: bool = True) -> Mapping[str, tuple[Any, InputSpec]]:
        """Return file → module and spec for the parts that a folder of ONNX files has; each runs as any module."""
        from dummyio_torch.exporting.optimum_components import components  # noqa: PLC0415 - as above

        return components(model, spec, past=past)

    def runner(self, target: Any, spec: InputSpec | None, engine: str | None) -> Any:
        """Return a module or a ``.pt2`` file as a function of named feeds; the capability that makes it run."""
        from dummyio_torch.running import open_runner as run  # noqa: PLC0415 - as above

        return run.runner(target, spec, engine)

    def capture(self, model: Any, method: str | None = None) -> Any:
        """Return a context that records calls of a module, or of one of its methods; `dummyio.capture`."""
        from dummyio_torch.capture.capture import Capture  # noqa: PLC0415 - as above

        return Capture(model, method)

    def load(self, path: Path, task: str | None) -> tuple[Any, str]:
        """Return the model of a file or folder, and a sentence that says what it is."""
        from dummyio_torch.calling.load_model import load  # noqa: PLC0415 - making tensors does not need the reader

        return load(path, task)


BACKEND = TorchBackend()
