"""Dtypes by Optimum's names, as those of a framework: ``DTYPE_MAPPER.pt("fp16")`` is ``torch.float16``."""

from typing import Any

from dummyio.backend.registry import load_backend
from dummyio.errors import DTypeError, suggest_names
from dummyio.spec.dtypes import DType


class DTypeMapper:
    """The native dtypes of each framework."""

    @staticmethod
    def np(dtype: object) -> Any:
        """Return the dtype of NumPy."""
        return _find("np", dtype)

    @staticmethod
    def pt(dtype: object) -> Any:
        """Return the dtype of PyTorch."""
        return _find("pt", dtype)

    @staticmethod
    def tf(dtype: object) -> Any:
        """Return the dtype of TensorFlow."""
        return _find("tf", dtype)

    @staticmethod
    def jax(dtype: object) -> Any:
        """Return the dtype of JAX."""
        return _find("jax", dtype)


def _find(framework: str, dtype: object) -> Any:
    """Return a native dtype; raise `DTypeError` for a name that is unknown, or that the framework lacks."""
    known, native = DType.of(dtype), load_backend(framework).dtypes
    if known not in native:
        held = suggest_names(known.value, [each.value for each in native])
        raise DTypeError(f"dtype={dtype!r}: framework {framework!r} has no such dtype. {held}")
    return native[known]


DTYPE_MAPPER = DTypeMapper()
