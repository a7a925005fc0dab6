"""The backend object: this framework's members of `dummyio.backend.Backend`."""

from typing import Any

from dummyio.spec.dtypes import DType
from dummyio_numpy import running, signature, tensors
from dummyio_numpy.dtypes import DTYPE_MAPPER


class NumpyBackend:
    """NumPy."""

    name = "np"
    dtypes = DTYPE_MAPPER
    flat = False
    from_numpy = staticmethod(tensors.from_numpy)
    to_numpy = staticmethod(tensors.to_numpy)
    is_tensor = staticmethod(tensors.is_tensor)
    abstract = staticmethod(signature.abstract)
    runner = staticmethod(running.open_runner)

    @staticmethod
    def count_copies(dtype: DType) -> int:
        """Return how many copies of an array exist while it is converted: the tensor has its memory."""
        del dtype
        return 0

    def cache(self, layers: list[Any]) -> Any:
        """Return the layers themselves: NumPy has no models."""
        return layers


BACKEND = NumpyBackend()
