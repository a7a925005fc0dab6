"""The tensor spec of one array, shape or number."""

from typing import Any

import jax.numpy as jnp

from dummyio.errors import DTypeError, SourceError
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_jax.calling.symbolic_dims import to_dims, to_size
from dummyio_jax.dtypes import from_native
from dummyio_jax.precision import canonicalize_dtype


def describe_leaf(path: str, value: Any, *, exact: bool = False) -> TensorSpec:
    """Describe an array, a shape or a number by its own sizes, with the dtype that a function sees, or its `exact` dtype.

    Raises
    ------
    SourceError
        if `value` is not an array, or holds random keys.
    """
    if isinstance(value, (bool, int, float, complex)):
        value = jnp.asarray(value)  # JAX chooses the dtype of a Python number
    if not hasattr(value, "shape") or not hasattr(value, "dtype"):
        raise SourceError(
            f"{path}: a {type(value).__name__} is not an array. Close over it if it is a setting: "
            f"functools.partial(function, {path.split('.', maxsplit=1)[0]}={value!r})."
        )
    try:
        dtype = from_native(value.dtype)
    except DTypeError as error:
        raise SourceError(f"{path}: {error} Create random keys inside the function, from a seed.") from error
    dims = to_dims(value.shape)
    shape = [to_size(size, dims) for size in value.shape]
    return TensorSpec(path.rpartition(".")[2], shape, dtype if exact else canonicalize_dtype(dtype))
