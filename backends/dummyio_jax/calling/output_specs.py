"""The output specs of a function, from the tree of shapes that it returns."""

from collections.abc import Collection, Mapping
from typing import Any

from dummyio.errors import DTypeError, SourceError
from dummyio.sources.axis_names import name_unnamed_axis, to_identifier
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio_jax.calling.pytrees import name_results
from dummyio_jax.calling.symbolic_dims import to_dims, to_size
from dummyio_jax.dtypes import from_native


def build_output_specs(
    result: Any, dims: Mapping[str, Dim] | None = None, declared: tuple[str, ...] = (), inputs: Collection[str] = ()
) -> tuple[OutputSpec, ...]:
    """Return the outputs of a tree of shapes.

    Parameters
    ----------
    result
        Arrays or `jax.ShapeDtypeStruct`s in any containers.
    dims
        The dims of the inputs, by name; without them, dims with their own defaults.
    inputs
        The paths of the inputs, whose names no output gets.
    declared
        Names for outputs that have none, as in `dummyio.backend.result_names.name_outputs`.
    """
    named = name_results(result, declared, inputs)
    return tuple(
        OutputSpec(name, _convert_shape(name, leaf, dims), _convert_dtype(leaf)) for name, leaf in named.items()
    )


def _convert_shape(name: str, leaf: Any, dims: Mapping[str, Dim] | None) -> tuple[Size, ...]:
    known = dims if dims is not None else to_dims(leaf.shape)
    return tuple(_convert_size(name_unnamed_axis(name, axis), size, known) for axis, size in enumerate(leaf.shape))


def _convert_size(name: str, size: Any, dims: Mapping[str, Dim]) -> Size:
    """Return a size as an expression of dims; as a dim of its own if a spec cannot express it, such as a minimum."""
    try:
        return to_size(size, dims)
    except SourceError:
        return Dim(to_identifier(name), 1, min=0)


def _convert_dtype(leaf: Any) -> DType | None:
    try:
        return from_native(leaf.dtype)
    except DTypeError:  # random keys
        return None
