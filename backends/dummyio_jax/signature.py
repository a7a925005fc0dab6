"""`jax.ShapeDtypeStruct`s with symbolic sizes: what `jax.export` takes.

All symbols are of one scope, for JAX mixes no two. A symbol of JAX is at least 1: an input that can be empty is exported
once more with that size fixed at 0.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import jax
import jax.export

from dummyio.errors import DimError
from dummyio.spec.dims import Dim, Size, collect_dims, evaluate_size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_jax.dtypes import to_native

__all__ = ["abstract", "constraints"]


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, jax.ShapeDtypeStruct]:
    """Return shapes and dtypes; sizes are ints or expressions of symbols, whose bounds are the scope's constraints.

    Raises
    ------
    DimError
        for a name or a bound that JAX does not take.
    """
    symbols = _symbols(collect_dims(size for leaf in leaves.values() for size in leaf.shape).values())
    return {
        path: jax.ShapeDtypeStruct(tuple(_axis(size, symbols) for size in leaf.shape), to_native(leaf.dtype))
        for path, leaf in leaves.items()
    }


def _symbols(dims: Collection[Dim]) -> dict[str, Any]:
    """Return name → symbol, or the size where there is only one."""
    free = [dim for dim in dims if not dim.fixed]
    known: dict[str, Any] = {dim.name: evaluate_size(dim) for dim in dims if dim.fixed}
    if free:
        names, bounds = ", ".join(dim.name for dim in free), [text for dim in free for text in constraints(dim)]
        try:
            known |= zip((dim.name for dim in free), jax.export.symbolic_shape(names, constraints=bounds), strict=True)
        except ValueError as error:
            raise DimError(f"JAX takes no symbols {names} with the bounds {bounds}: {error}") from error
    return known


def constraints(dim: Dim) -> Iterator[str]:
    """Yield the bounds of a symbol; that it is at least 1 JAX knows, and a list of choices it cannot know."""
    low, high = (min(dim.choices), max(dim.choices)) if dim.choices else (dim.min, dim.max)
    if low > 1:
        yield f"{dim.name} >= {low}"
    if high is not None:
        yield f"{dim.name} <= {high}"
    if dim.multiple_of > 1:
        yield f"mod({dim.name}, {dim.multiple_of}) == 0"


def _axis(size: Size, symbols: Mapping[str, Any]) -> Any:
    """Return an int, or JAX's own expression: its symbols add, multiply and divide as ints do."""
    return evaluate_size(size, cast("Mapping[str, int]", symbols))
