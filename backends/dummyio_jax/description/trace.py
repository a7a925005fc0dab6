"""Trace a function without data: does it take these shapes, what does it return, and what do its integers index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.extend.core as jex

from dummyio.input_spec import InputSpec
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import leaf_paths
from dummyio_jax.precision import enable_wide_dtypes

__all__ = ["Traced", "indexed_rows", "trace"]

_KEEPING = frozenset(
    [
        "convert_element_type",
        "broadcast_in_dim",
        "reshape",
        "squeeze",
        "expand_dims",
        "transpose",
        "select_n",
        "add",
        "copy",
        "slice",
        "concatenate",
        "stop_gradient",
        "max",
        "min",
        "clamp",
        "rev",
    ]
)
"""Operations on ids whose result is ids still; indexing adds the number of rows to those below zero."""

Traced = tuple[Any, Any]
"""The closed jaxpr, and the result as a tree of shapes."""


def trace(model: Model, spec: InputSpec) -> Traced:
    """Return what tracing the model on the spec's symbolic shapes gives; JAX's own error where it cannot be traced."""
    with enable_wide_dtypes(leaf.dtype for _, leaf in spec.leaves):
        closed, shapes = jax.make_jaxpr(model, return_shape=True)(spec.abstract("jax"))
    return closed, shapes


def indexed_rows(traced: Traced, spec: InputSpec) -> dict[str, int]:
    """Return path → rows of the smallest table that an integer input indexes."""
    jaxpr = traced[0].jaxpr
    whole = {path for path, leaf in spec.leaves if leaf.dtype.kind in ("int", "uint")}
    origins = {var: path for var, path in zip(jaxpr.invars, leaf_paths(spec), strict=True) if path in whole}
    found: dict[str, int] = {}
    _walk(jaxpr, origins, found)
    return found


def _walk(jaxpr: Any, origins: dict[Any, str], found: dict[str, int]) -> None:
    """Follow every variable that holds an input's ids, into called functions too."""
    for equation in jaxpr.eqns:
        sources = [None if isinstance(var, jex.Literal) else origins.get(var) for var in equation.invars]
        if not any(sources):
            continue
        for path, rows in _indexing(equation, sources):
            found[path] = min(rows, found.get(path, rows))
        inner = list(_called(equation))
        for called, offset in inner:
            held = {var: path for var, path in zip(called.invars, sources[offset:], strict=False) if path}
            _walk(called, held, found)
            origins |= {
                out: held[var]
                for out, var in zip(equation.outvars, called.outvars, strict=False)
                if not isinstance(var, jex.Literal) and var in held
            }
        if not inner and equation.primitive.name in _KEEPING and len({*filter(None, sources)}) == 1:
            origins |= dict.fromkeys(equation.outvars, next(filter(None, sources)))


def _indexing(equation: Any, sources: list[str | None]) -> Iterator[tuple[str, int]]:
    """Yield what an equation indexes, and the rows that there are."""
    shape = equation.invars[0].aval.shape
    match equation.primitive.name:
        case "gather" if sources[1]:
            taken = equation.params["slice_sizes"]
            axes = equation.params["dimension_numbers"].start_index_map
            chosen = [shape[axis] for axis in axes if taken[axis] != shape[axis]]  # the rest is taken whole, from 0 on
            rows = [(sources[1], chosen[0])] if len(chosen) == 1 else []
        case "dynamic_slice":
            taken = equation.params["slice_sizes"]
            rows = [(p, size - n + 1) for p, size, n in zip(sources[1:], shape, taken, strict=True) if p]
        case _:
            rows = []
    yield from ((path, size) for path, size in rows if isinstance(size, int))


def _called(equation: Any) -> Iterator[tuple[Any, int]]:
    """Yield the functions that an equation calls, and at which operand theirs begin."""
    for name, value in _parameters(equation.params):
        jaxpr = getattr(value, "jaxpr", value)
        if hasattr(jaxpr, "eqns") and hasattr(jaxpr, "invars"):
            offset = len(equation.invars) - len(jaxpr.invars) if name == "branches" else 0
            yield jaxpr, offset


def _parameters(params: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in params.items():
        for item in value if isinstance(value, (tuple, list)) else (value,):
            yield name, item
