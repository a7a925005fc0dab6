"""What a function returns, as a spec's outputs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dummyio.errors import DTypeError, SourceError
from dummyio.spec.dims import Dim, Size
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio_jax.calling.pytrees import result_names
from dummyio_jax.calling.symbolic_dims import dims_of, to_size
from dummyio_jax.dtypes import from_native

__all__ = ["output_specs"]


def output_specs(
    result: Any, dims: Mapping[str, Dim] | None = None, declared: tuple[str, ...] = ()
) -> tuple[OutputSpec, ...]:
    """Return the outputs of a tree of shapes; `dims` are the symbols as the inputs define them, `declared` as in `name_results`."""
    found = result_names(result, declared)
    return tuple(OutputSpec(name, _shape(leaf, dims), _dtype(leaf)) for name, leaf in found.items())


def _shape(leaf: Any, dims: Mapping[str, Dim] | None) -> tuple[Size, ...] | None:
    known = dims if dims is not None else dims_of(leaf.shape)
    try:
        return tuple(to_size(size, known) for size in leaf.shape)
    except SourceError:  # a size that no spec can write is not said
        return None


def _dtype(leaf: Any) -> DType | None:
    try:
        return from_native(leaf.dtype)
    except DTypeError:  # of random keys
        return None
