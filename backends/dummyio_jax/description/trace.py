"""Traces a function without data: the shapes that it returns, and the tables that its integer inputs index."""

from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import jax.extend.core as jex
import jax.numpy as jnp

from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import build_nested
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.precision import enable_wide_dtypes

_MOVING = {"broadcast_in_dim", "reshape", "squeeze", "expand_dims", "transpose", "slice", "concatenate", "rev", "copy"}
_ELEMENTWISE = {"convert_element_type", "select_n", "add", "max", "min", "clamp", "stop_gradient"}
_ID_OPERATIONS = _MOVING | _ELEMENTWISE
"""Operations that return ids if they are given ids; indexing adds the number of rows to negative ones."""

_LIMITING = {"clamp", "min", "max"}
"""Operations after which places beyond a table's end are its last row."""
_PLACES = "places of "
"""What the key of a dim's places begins with, among the paths of inputs; the first place and the dim's name follow."""


class Trace(NamedTuple):
    """A traced function."""

    jaxpr: Any
    shapes: Any
    """The result, as a tree of shapes."""


def trace_model(model: Model, spec: InputSpec) -> Trace:
    """Trace the model on the symbolic shapes of its spec. Raises the exception of JAX or of the model if that fails."""
    with enable_wide_dtypes(leaf.dtype for _, leaf in spec.leaves):
        closed, shapes = jax.make_jaxpr(model, return_shape=True)(spec.abstract("jax"))
    return Trace(closed.jaxpr, shapes)


def find_indexed_rows(trace: Trace, spec: InputSpec) -> dict[str, int]:
    """Return, for each integer input that indexes tables, the number of rows of the smallest one."""
    integers = {path for path, leaf in spec.leaves if leaf.dtype.kind in ("int", "uint")}
    paths = {path: path for path, _ in spec.leaves}
    flat = jax.tree.leaves({name: build_nested(node, paths, name) for name, node in spec.items()})  # in JAX's order
    origins = {var: path for var, path in zip(trace.jaxpr.invars, flat, strict=True) if path in integers}
    rows: dict[str, int] = {}
    _follow_ids(trace.jaxpr, origins, rows)
    return rows


def find_position_rows(trace: Trace) -> dict[str, int]:
    """Return, for each dim whose places (``arange(length)``) index tables, the number of rows of the smallest one."""
    rows: dict[str, int] = {}
    _follow_ids(trace.jaxpr, {}, rows)
    found: dict[str, int] = {}
    for key, count in rows.items():
        if key.startswith(_PLACES):
            first, _, name = key.removeprefix(_PLACES).partition(" ")
            found[name] = min(count - int(first), found.get(name, count))
    return {name: count for name, count in found.items() if count > 0}


def _follow_ids(jaxpr: Any, origins: dict[Any, str], rows: dict[str, int]) -> None:
    """Follow each variable that holds the ids of an input, also into called functions, and add to `rows`."""
    for equation in jaxpr.eqns:
        if equation.primitive.name == "iota":
            length = str(equation.params["shape"][equation.params["dimension"]])
            origins |= {var: f"{_PLACES}0 {length}" for var in equation.outvars if length.isidentifier()}
            continue
        sources = [None if isinstance(var, jex.Literal) else origins.get(var) for var in equation.invars]
        called = list(_called_functions(equation))
        if not any(sources) and not called:
            continue
        for path, size in _indexed_sizes(equation, sources):
            rows[path] = min(size, rows.get(path, size))
        for inner, offset in called:
            held = {var: path for var, path in zip(inner.invars, sources[offset:], strict=False) if path}
            _follow_ids(inner, held, rows)
            origins |= {
                out: held[var]
                for out, var in zip(equation.outvars, inner.outvars, strict=False)
                if not isinstance(var, jex.Literal) and var in held
            }
        source = None if called else _find_source(equation, {*filter(None, sources)})
        if source is not None:
            origins |= dict.fromkeys(equation.outvars, source)


def _find_source(equation: Any, sources: set[str]) -> str | None:
    """Return the input whose ids, or the key of the places that the results of an equation are; None if they are others."""
    operation = equation.primitive.name
    if not all(source.startswith(_PLACES) for source in sources):
        return next(iter(sources)) if operation in _ID_OPERATIONS and len(sources) == 1 else None
    numbers = [int(var.val) for var in equation.invars if isinstance(var, jex.Literal) and jnp.ndim(var.val) == 0]
    if operation in _LIMITING or (operation not in _ID_OPERATIONS and (operation, numbers) != ("mul", [1])):
        return None
    places = sorted((int(first), name) for first, _, name in (s.removeprefix(_PLACES).partition(" ") for s in sources))
    first, name = places[0]  # a negative place counts from the end: one of two sums is chosen
    if any(other != name for _, other in places):
        return None
    return f"{_PLACES}{first + sum(numbers) if operation == 'add' else first} {name}"


def _indexed_sizes(equation: Any, sources: list[str | None]) -> Iterator[tuple[str, int]]:
    """Yield the path of each input that the equation indexes with, and the number of valid ids."""
    shape = equation.invars[0].aval.shape
    match equation.primitive.name:
        case "gather" if sources[1]:
            taken = equation.params["slice_sizes"]
            axes = equation.params["dimension_numbers"].start_index_map
            indexed = [shape[axis] for axis in axes if taken[axis] != shape[axis]]  # other axes are taken whole
            rows = [(sources[1], indexed[0])] if len(indexed) == 1 else []
        case "dynamic_slice":
            taken = equation.params["slice_sizes"]
            rows = [(p, size - n + 1) for p, size, n in zip(sources[1:], shape, taken, strict=True) if p]
        case _:
            rows = []
    yield from ((path, size) for path, size in rows if isinstance(size, int))


def _called_functions(equation: Any) -> Iterator[tuple[Any, int]]:
    """Yield the functions that an equation calls, and the operand that is their first argument."""
    for name, parameter in equation.params.items():
        for value in parameter if isinstance(parameter, (tuple, list)) else (parameter,):
            jaxpr: Any = getattr(value, "jaxpr", value)
            if hasattr(jaxpr, "eqns") and hasattr(jaxpr, "invars"):
                yield jaxpr, len(equation.invars) - len(jaxpr.invars) if name == "branches" else 0
