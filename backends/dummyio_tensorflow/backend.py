"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dummyio.errors import SourceError
from dummyio_tensorflow import signature, tensors
from dummyio_tensorflow.dtypes import DTYPE_MAPPER

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec
    from dummyio.running.runner import Runner


class TensorflowBackend:
    """TensorFlow."""

    name = "tf"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def cache(self, layers: list[Any]) -> Any:
        """Return a tuple of the layers, as TensorFlow's models take and return their past."""
        return tuple(layers)

    @cached_property
    def exporters(self) -> Mapping[str, Callable[..., Any]]:
        """Format → the function that writes it."""
        from dummyio_tensorflow.exporting.exporters import EXPORTERS  # noqa: PLC0415 - lazy: for exporting

        return EXPORTERS

    def runner(
        self,
        target: Any,
        spec: InputSpec | None,
        engine: str | None,
        *,
        trust: bool = False,
        signature: str | None = None,
    ) -> Runner:
        """Return a model or an artifact as a runner; a model without a spec is described first."""
        from dummyio_tensorflow.running.open_runner import open_runner  # noqa: PLC0415 - lazy: for running

        if spec is None and not isinstance(target, Path):
            try:
                spec = self.describe(target, dims={} if signature is None else {"signature": signature})
            except SourceError as error:
                raise SourceError(f"{error} Or give its spec: open_runner(model, spec).") from error
        return open_runner(target, spec, engine, trust=trust, signature=signature)

    def describe(self, model: Any, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
        """Return the spec of a model or an artifact; see `dummyio_tensorflow.description.describe_model.describe`."""
        from dummyio_tensorflow.description.describe_model import describe  # noqa: PLC0415 - lazy: for describing

        return describe(model, dims=dims or {})

    def prove(self, source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
        """Return a spec that a source takes, with its proof; see `dummyio_tensorflow.proof`."""
        from dummyio_tensorflow.proof.prove_source import prove  # noqa: PLC0415 - lazy: only for descriptions

        return prove(source, spec, level, keywords)

    def is_harmless(self, kind: str) -> bool | None:
        """Whether an operator of TensorFlow can do no harm; see `dummyio_tensorflow.running.operator_trust.is_harmless`."""
        from dummyio_tensorflow.running.operator_trust import is_harmless  # noqa: PLC0415 - lazy: for files that name one

        return is_harmless(kind)

    def load(self, path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
        """Return the Keras model of a file, and its name for messages."""
        from dummyio_tensorflow.calling.load_model import load_model  # noqa: PLC0415 - lazy: for loading

        return load_model(path, task, trust=trust)


BACKEND = TensorflowBackend()
