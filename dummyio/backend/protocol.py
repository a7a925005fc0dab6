"""Moved out of dummyio/backend/registry.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from dummyio.spec.dtypes import DType
    from dummyio.spec.tensor_spec import TensorSpec


@runtime_checkable
class Backend(Protocol):
    """One framework's tensors: what every backend has."""

    name: str
    """The framework's short name, as in ``generate(framework=...)``."""

    dtypes: Mapping[DType, Any]
    """Canonical dtype → native dtype; a dtype that the framework lacks is not there."""

    flat: bool
    """Whether the framework takes inputs flat, by path, and not nested."""

    def from_numpy(self, values: Any, dtype: DType, device: Any = None) -> Any:
        """Return a native tensor of `dtype` with these values, which the caller gives away.

        Raises `DTypeError` where the framework lacks the dtype, never converts to another.
        """
        ...

    def to_numpy(self, tensor: Any) -> Any:
        """Return a native tensor's values as a NumPy array of its own dtype."""
        ...

    def is_tensor(self, value: object) -> bool:
        """Whether `value` is one of this framework's tensors."""
        ...

    def abstract(self, leaves: Mapping[str, TensorSpec]) -> dict[str, Any]:
        """Return the framework's signature objects, by path; symbols are shared among them."""
        ...

    def cache(self, layers: list[Any]) -> Any:
        """Return what the framework's models take as their past, from a list with a tuple per layer."""
        ...
