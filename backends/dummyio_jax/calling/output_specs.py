"""The output specs of a function, from the tree of shapes that it returns."""

from collections.abc import Mapping
from typing import Any

from dummyio.errors import DTypeError, SourceError
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio_jax.calling.pytrees import name_results
from dummyio_jax.calling.symbolic_dims import to_dims, to_size
from dummyio_jax.dtypes import from_native


def build_output_specs(
    result: Any, dims: Mapping[str, Dim] | None = None, declared: tuple[str, ...] = ()
) -> tuple[OutputSpec, ...]:
    """Return the outputs of a tree of shapes.

    Parameters
    ----------
    result
        Arrays or `jax.ShapeDtypeStruct`s in any containers.
    dims
        The dims of the inputs, by name; without them, dims with their own defaults.
    declared
        Names for outputs that have none, as in `dummyio.backend.result_names.name_outputs`.
    """
    named = name_results(result, declared)
    return tuple(OutputSpec(name, _convert_shape(leaf, dims), _convert_dtype(leaf)) for name, leaf in named.items())


def _convert_shape(leaf: Any, dims: Mapping[str, Dim] | None) -> tuple[Size, ...] | None:
    known = dims if dims is not None else to_dims(leaf.shape)
    try:
        return tuple(to_size(size, known) for size in leaf.shape)
    except SourceError:  # a spec cannot express this size
        return None


def _convert_dtype(leaf: Any) -> DType | None:
    try:
        return from_native(leaf.dtype)
    except DTypeError:  # random keys
        return None
