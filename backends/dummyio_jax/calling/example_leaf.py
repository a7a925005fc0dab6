"""Moved out of backends/dummyio_jax/description/example_inputs.py."""

from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from dummyio.errors import DTypeError, SourceError
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_jax.calling.symbolic_dims import dims_of, to_size
from dummyio_jax.dtypes import from_native
from dummyio_jax.precision import canonicalize_dtype


def leaf_of(path: str, value: Any, *, exact: bool = False) -> TensorSpec:
    """Return an array, a shape or a number as a tensor of its own sizes, of the dtype that a function sees, or its own.

    Raises
    ------
    SourceError
        for what is no array, and for arrays of random keys.
    """
    name = path.rpartition(".")[2]
    if isinstance(value, (bool, int, float, complex)):
        value = jnp.asarray(value)  # the dtype that JAX gives a number of Python's
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise SourceError(
            f"{path}: a {type(value).__name__} is no array. Close over what is a setting: "
            f"functools.partial(function, {path.split('.', maxsplit=1)[0]}={value!r})."
        )
    try:
        dtype = from_native(value.dtype)
    except DTypeError as error:
        raise SourceError(f"{path}: {error} Make random keys inside the function, of a seed.") from error
    dims = dims_of(value.shape)
    shape = [to_size(size, dims) for size in value.shape]
    return TensorSpec(name, shape, dtype if exact else canonicalize_dtype(dtype))
