"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from dummyio_jax import signature, tensors
from dummyio_jax.dtypes import DTYPE_MAPPER

if TYPE_CHECKING:
    from dummyio.exporting.artifact import ExportResult
    from dummyio.input_spec import InputSpec
    from dummyio.running.runner import Runner


class JaxBackend:
    """JAX."""

    name = "jax"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)

    def describe(self, source: Any, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
        """Describe a function, a Flax module or an exported function; see `dummyio_jax.description`."""
        from dummyio_jax.description.describe_function import describe  # noqa: PLC0415 - lazy: only for descriptions

        return describe(source, dims=dims)

    def prove(self, source: Any, spec: InputSpec, level: str, keywords: Mapping[str, Any]) -> InputSpec:
        """Return a spec that a source takes, with its proof; see `dummyio_jax.proof`."""
        from dummyio_jax.proof.prove_source import prove  # noqa: PLC0415 - lazy: only for descriptions

        return prove(source, spec, level, keywords)

    def runner(self, target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> Runner:
        """Return a function, a Flax module or an exported function as a runner; see `dummyio_jax.running`."""
        from dummyio_jax.running.open_runner import open_runner  # noqa: PLC0415 - lazy: only for runs

        return open_runner(target, spec, engine, trust=trust)

    @property
    def exporters(self) -> Mapping[str, Callable[..., ExportResult]]:
        """Format → exporter; see `dummyio_jax.exporting`."""
        from dummyio_jax.exporting.exporters import EXPORTERS  # noqa: PLC0415 - lazy: only for exports

        return EXPORTERS

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves: a JAX function takes any tree of lists, tuples and dicts."""
        return layers


BACKEND = JaxBackend()
