"""A model as the operations that JAX traced, without the functions that were called: what a converter gets that fails on these.

jax2onnx replaces functions of JAX and Flax while it traces, to convert each as a whole. Some replacements refuse arguments that the
function accepts, or sizes that are not fixed. After a trace by JAX a model has no such functions, so jax2onnx replaces nothing.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import jax.extend.core as jex
import jax.numpy as jnp
from jax import lax

from dummyio_jax.exporting.matrix_loops import decompose_cholesky, decompose_lu, solve_triangular

_CALLS = {
    "jit",
    "pjit",
    "closed_call",
    "core_call",
    "custom_jvp_call",
    "custom_vjp_call",
    "remat2",
    "checkpoint",
    "custom_linear_solve",
}
"""Operations that call a function, which is evaluated in their place."""


def trace_operations(function: Callable[..., Any], shapes: Sequence[Any]) -> Callable[..., list[Any]]:
    """Return a function of flat arguments that does the operations that JAX traces in another one, and returns a list."""
    closed = jax.make_jaxpr(function)(*shapes)
    return lambda *leaves: _evaluate(closed.jaxpr, closed.consts, leaves)


def _evaluate(
    jaxpr: Any, constants: Sequence[Any], arguments: Sequence[Any], rewritten: Mapping[str, Any] | None = None
) -> list[Any]:
    known: dict[Any, Any] = dict(zip((*jaxpr.constvars, *jaxpr.invars), (*constants, *arguments), strict=True))

    def read(variable: Any) -> Any:
        return variable.val if isinstance(variable, jex.Literal) else known[variable]

    for equation in _list_used(jaxpr):
        values = [read(variable) for variable in equation.invars]
        known |= zip(
            equation.outvars, _apply(equation, values, _REWRITTEN if rewritten is None else rewritten), strict=True
        )
    return [read(variable) for variable in jaxpr.outvars]


def replace_operations(function: Callable[..., Any], leaves: Sequence[Any]) -> Any:
    """Return the result of a function of flat arguments, without the operations that TensorFlow's compiler does not know."""
    closed, shapes = jax.make_jaxpr(function, return_shape=True)(*leaves)
    results = (
        _evaluate(closed.jaxpr, closed.consts, leaves, _FOR_TENSORFLOW)
        if _has_any(closed.jaxpr, _FOR_TENSORFLOW)
        else jex.jaxpr_as_fun(closed)(*leaves)
    )
    return jax.tree.unflatten(jax.tree.structure(shapes), results)


def _has_any(jaxpr: Any, names: Mapping[str, Any]) -> bool:
    """Return whether an operation is among the names, also in functions that are called."""
    return any(
        equation.primitive.name in names
        or (equation.primitive.name in _CALLS and _has_any(_find_called(equation)[0], names))
        for equation in jaxpr.eqns
    )


def _find_called(equation: Any) -> tuple[Any, Sequence[Any]]:
    """Return the function that an operation calls, and its constants."""
    parameters = equation.params
    solver = getattr(parameters.get("jaxprs"), "solve", None)
    called = solver or parameters.get("jaxpr") or parameters.get("call_jaxpr") or parameters.get("fun_jaxpr")
    return getattr(called, "jaxpr", called), getattr(called, "consts", ())


def _choose_arguments(equation: Any, values: list[Any]) -> list[Any]:
    """Return the arguments of a called function: those of a solver are among those of the products that it inverts."""
    lengths = equation.params.get("const_lengths")
    if lengths is None:
        return values
    start, end = lengths.matvec + lengths.vecmat, lengths.matvec + lengths.vecmat + lengths.solve
    return [*values[start:end], *values[end + lengths.transpose_solve :]]


def _list_used(jaxpr: Any) -> list[Any]:
    """Return the equations that have a part in the results, in order."""
    used, equations = {variable for variable in jaxpr.outvars if not isinstance(variable, jex.Literal)}, list[Any]()
    for equation in reversed(jaxpr.eqns):
        if not used.isdisjoint(equation.outvars):
            equations.insert(0, equation)
            used |= {variable for variable in equation.invars if not isinstance(variable, jex.Literal)}
    return equations


def _apply(equation: Any, values: list[Any], rewritten: Mapping[str, Any]) -> list[Any]:
    name, parameters = equation.primitive.name, equation.params
    if name in _CALLS:
        return _evaluate(*_find_called(equation), _choose_arguments(equation, values), rewritten)
    if name in rewritten:
        result = rewritten[name](equation, *values)
        if result is not None:
            return list(result) if equation.primitive.multiple_results else [result]
    results = equation.primitive.bind(*values, **parameters)
    return list(results) if equation.primitive.multiple_results else [results]


def _multiply_in_order(equation: Any, left: Any, right: Any) -> Any:
    """Return a product of matrices whose left operand is contracted over its first axis, or that has 16 bits; None for others.

    jax2onnx takes the first axis for the last, and adds a bias of 32 bits to a product of two matrices.
    """
    ((left_axes, right_axes), batch) = equation.params["dimension_numbers"]
    kind = equation.params["preferred_element_type"]
    if tuple(map(tuple, batch)) != ((), ()) or (left.ndim, right.ndim, len(left_axes)) != (2, 2, 1):
        return None
    if tuple(left_axes) == (0,):
        left = left.T
    elif left.dtype.itemsize > _HALF:
        return None
    right = right.T if tuple(right_axes) == (1,) else right
    if left.dtype.itemsize > _HALF:
        return lax.dot_general(left, right, (((1,), (0,)), ((), ())), preferred_element_type=kind)
    return lax.dot_general(left[None], right[None], (((2,), (1,)), ((0,), (0,))), preferred_element_type=kind)[0]


_HALF = 2
"""The bytes of a 16-bit number."""


def _choose_of_two(equation: Any, index: Any, *values: Any) -> Any:
    """Return the results of a branch among more than two, as choices between two; None for others."""
    branches = equation.params["branches"]
    if len(branches) <= _TWO:
        return None

    def choose(first: int, *values: Any) -> list[Any]:
        if first == len(branches) - 1:
            return _evaluate(branches[first].jaxpr, branches[first].consts, values)
        chosen: list[Any] = lax.cond(
            index <= first,
            lambda *own: _evaluate(branches[first].jaxpr, branches[first].consts, own),
            lambda *own: choose(first + 1, *own),
            *values,
        )
        return chosen

    return choose(0, *values)


_TWO = 2


def _pool_as_one_batch(equation: Any, images: Any) -> Any:
    """Return the largest values of windows of an array of four axes, as one of three; None for others.

    jax2onnx takes all axes for those of an image, and ONNX Runtime has no images of more than three.
    """
    own = equation.params
    whole = [axis for axis, size in enumerate(own["window_dimensions"]) if size == 1]
    if images.ndim != _FOUR or len(whole) < _TWO:
        return None
    order = (*whole[:2], *(axis for axis in range(_FOUR) if axis not in whole[:2]))
    moved = images.transpose(order)
    first, second, *rest = moved.shape
    joined = lax.reshape(moved, (first * second, *rest))
    kept = {name: tuple(own[name][axis] for axis in order[1:]) for name in _OF_AXES}
    pooled = equation.primitive.bind(joined, **{**own, **kept})
    apart = lax.reshape(pooled, (first, second, *pooled.shape[1:]))
    return apart.transpose([order.index(axis) for axis in range(_FOUR)])


_FOUR = 4
_OF_AXES = ("window_dimensions", "window_strides", "padding", "base_dilation", "window_dilation")


_REWRITTEN: dict[str, Callable[..., Any]] = {
    "dot_general": _multiply_in_order,
    "cond": _choose_of_two,
    "reduce_window_max": _pool_as_one_batch,
}
"""Operation → what replaces it; None where it stays."""


def _sort_for_largest(equation: Any, values: Any) -> list[Any]:
    """Return the largest values and their places by a sort; of equal values the first ones, as `lax.top_k` does."""
    axis = equation.params["axis"] % values.ndim
    places = -lax.broadcasted_iota(equation.outvars[1].aval.dtype, values.shape, axis)
    ordered, negated = (lax.rev(each, (axis,)) for each in lax.sort((values, places), dimension=axis, num_keys=2))
    return [lax.slice_in_dim(each, 0, equation.params["k"], axis=axis) for each in (ordered, -negated)]


def _divide_polynomials(equation: Any, x: Any) -> Any:
    """Return the error function as a quotient of polynomials in 32 bits; as what remains of its complement in others."""
    del equation
    if x.dtype != jnp.float32:
        return 1 - lax.erfc(x)
    x = jnp.clip(x, -_ERF_END, _ERF_END)
    top, bottom = (jnp.polyval(jnp.asarray(each, x.dtype), x * x) for each in (_ERF_TOP, _ERF_BOTTOM))
    return x * top / bottom


_ERF_END = 3.832506856900711
"""Where the error function is 1 in 32 bits."""
_ERF_TOP = (2.2905065861350646e-4, 3.4082910107109506e-3, 5.0955695062380861e-2, 0.18520832239976145, 1.128379143519084)
_ERF_BOTTOM = (
    -1.1791602954361697e-7,
    2.3547966471313185e-5,
    1.0179625278914885e-3,
    1.4070470171167667e-2,
    0.11098505178285362,
    0.49746925110067538,
    1.0,
)
"""The coefficients, the highest power first."""


def _loop_over_columns(equation: Any, *operands: Any) -> Any:
    """Return a decomposition or a solution as a loop; None for complex numbers, and for LU of several or of oblong matrices."""
    own, first = equation.params, operands[0]
    if jnp.iscomplexobj(first):
        return None
    if equation.primitive.name == "cholesky":
        return decompose_cholesky(first)
    if equation.primitive.name == "lu":
        square = first.ndim == _TWO and str(first.shape[0]) == str(first.shape[1])
        return decompose_lu(first) if square else None
    right = operands[1]
    lower, triangle = own["lower"] != own["transpose_a"], first.mT if own["transpose_a"] else first
    if own["left_side"]:
        return solve_triangular(triangle, right, lower=lower, unit_diagonal=own["unit_diagonal"])
    return solve_triangular(triangle.mT, right.mT, lower=not lower, unit_diagonal=own["unit_diagonal"]).mT


_FOR_TENSORFLOW: dict[str, Callable[..., Any]] = {
    "top_k": _sort_for_largest,
    "erf": _divide_polynomials,
    "cholesky": _loop_over_columns,
    "lu": _loop_over_columns,
    "triangular_solve": _loop_over_columns,
}
"""What replaces an operation that TensorFlow's compiler does not read, since it is newer: ``vhlo.composite``."""
