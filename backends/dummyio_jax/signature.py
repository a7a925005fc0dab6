"""`jax.ShapeDtypeStruct`s with symbolic sizes, as `jax.export` takes them.

All symbols share one scope, because JAX refuses to mix scopes. A JAX symbol is at least 1: an input that can be empty has
to be exported a second time, with that size fixed at 0.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, cast

import jax
import jax.export

from dummyio.errors import DimError
from dummyio.spec.dims import Dim, collect_dims, evaluate_size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio_jax.dtypes import to_native


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, jax.ShapeDtypeStruct]:
    """Return path → shape and dtype; sizes are ints or symbolic expressions, the dims' bounds are the scope's constraints.

    Raises
    ------
    DimError
        if JAX refuses the name or the bounds of a dim.
    """
    symbols = _make_symbols(collect_dims(size for leaf in leaves.values() for size in leaf.shape).values())
    return {
        # JAX's symbols add, multiply and divide as ints do, so that the sizes are evaluated on them.
        path: jax.ShapeDtypeStruct(tuple(evaluate_size(size, symbols) for size in leaf.shape), to_native(leaf.dtype))
        for path, leaf in leaves.items()
    }


def _make_symbols(dims: Collection[Dim]) -> Mapping[str, int]:
    """Return name → JAX symbol; a static dim has its size instead."""
    free = [dim for dim in dims if not dim.fixed]
    known: dict[str, Any] = {dim.name: dim.size for dim in dims if dim.fixed}
    if free:
        names, bounds = ", ".join(dim.name for dim in free), [text for dim in free for text in iterate_constraints(dim)]
        try:
            known |= zip((dim.name for dim in free), jax.export.symbolic_shape(names, constraints=bounds), strict=True)
        except ValueError as error:
            raise DimError(f"JAX refuses the symbols {names} with the bounds {bounds}: {error}") from error
    return cast("Mapping[str, int]", known)


def iterate_constraints(dim: Dim) -> Iterator[str]:
    """Yield the bounds of a dim as JAX writes them. A minimum of 1 is implied; choices become their range."""
    low, high = (min(dim.choices), max(dim.choices)) if dim.choices else (dim.min, dim.max)
    if low > 1:
        yield f"{dim.name} >= {low}"
    if high is not None:
        yield f"{dim.name} <= {high}"
    if dim.multiple_of > 1:
        yield f"mod({dim.name}, {dim.multiple_of}) == 0"
