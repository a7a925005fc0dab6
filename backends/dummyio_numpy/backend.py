"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dummyio_numpy import signature, tensors
from dummyio_numpy.dtypes import DTYPE_MAPPER

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec
    from dummyio.running.runner import Runner
    from dummyio.spec.dtypes import DType


class NumpyBackend:
    """NumPy, and TFLite files, which take and return its arrays."""

    name = "np"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    @staticmethod
    def count_copies(dtype: DType) -> int:
        """Return how many copies of an array exist while it is converted: the tensor has its memory."""
        del dtype
        return 0

    def runner(
        self,
        target: Any,
        spec: InputSpec | None,
        engine: str | None,
        *,
        trust: bool = False,
        signature: str | None = None,
    ) -> Runner:
        """Return a function or a TFLite file as a runner."""
        from dummyio_numpy.running import open_runner  # noqa: PLC0415 - lazy: for running

        return open_runner(target, spec, engine, trust=trust, signature=signature)

    def describe(self, model: Path, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
        """Return the spec of a TFLite file; see `dummyio.tflite.describe.describe`."""
        from dummyio.tflite.describe import describe  # noqa: PLC0415 - lazy: for describing

        return describe(Path(model), dims=dims)

    def prove(self, source: Path, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
        """Return a spec that a TFLite file takes, with its proof; see `dummyio.tflite.proof`."""
        from dummyio.tflite.proof import prove  # noqa: PLC0415 - lazy: only for descriptions

        return prove(Path(source), spec, level, keywords)

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves: NumPy has no models."""
        return layers


BACKEND = NumpyBackend()
