"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio_onnx import signature, tensors
from dummyio_onnx.dtypes import DTYPE_MAPPER

__all__ = ["BACKEND", "OnnxBackend"]


class OnnxBackend:
    """ONNX Runtime."""

    name = "ort"
    dtypes = DTYPE_MAPPER
    flat = True
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def describe(self, model: Any, *, dims: Mapping[str, Any]) -> InputSpec:
        """Return the description of an ONNX file or ``ModelProto``; the capability that makes it a source."""
        from dummyio_onnx import description as source  # noqa: PLC0415 - feeding a session does not need the reader

        return source.describe(model, dims=dims)

    def runner(self, target: Any, spec: InputSpec | None, engine: str | None) -> Any:
        """Return a model as a function of named feeds; the capability that makes it run."""
        from dummyio_onnx.running import onnx_runner as run  # noqa: PLC0415 - feeding a session does not need to open one

        return run.runner(target, spec, engine)

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves; inputs of a graph are flat, so nobody asks."""
        return layers


BACKEND = OnnxBackend()
