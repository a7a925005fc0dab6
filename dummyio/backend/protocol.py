"""The interface of a backend."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from dummyio.spec.dtypes import DType
    from dummyio.spec.tensor_spec import TensorSpec


@runtime_checkable
class Backend(Protocol):
    """The members that every backend has; they concern the tensors of one framework.

    A backend may also have ``count_copies(dtype)``: how many copies of an array exist while it is converted on the CPU, 0 if
    the tensor has its memory. Without it, the memory budget counts two.
    """

    name: str
    """The framework's short name, as in ``generate(framework=...)``."""

    dtypes: Mapping[DType, Any]
    """Canonical dtype → native dtype; a dtype that the framework lacks is absent."""

    flat: bool
    """Whether the framework takes inputs flat, by path, instead of nested."""

    def from_numpy(self, values: Any, dtype: DType, device: Any = None) -> Any:
        """Return a native tensor of `dtype` with these values; the backend owns `values` from now on.

        Raises `DTypeError` if the framework lacks the dtype; never converts to another dtype.
        """
        ...

    def to_numpy(self, tensor: Any) -> Any:
        """Return the values of a native tensor as a NumPy array of the same dtype."""
        ...

    def is_tensor(self, value: object) -> bool:
        """Whether `value` is a tensor of this framework."""
        ...

    def abstract(self, leaves: Mapping[str, TensorSpec]) -> dict[str, Any]:
        """Return path → signature object of the framework; the signatures share their symbols."""
        ...

    def cache(self, layers: list[Any]) -> Any:
        """Return the container in which the framework's models take their past, from a list with a tuple per layer."""
        ...
