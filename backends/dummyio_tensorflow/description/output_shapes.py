"""The outputs of a model with symbolic sizes: from one trace with dynamic sizes, and several at static ones.

A size is an expression of the inputs' dims only if it equals that at all traced sizes: large ones without a factor of the usual strides,
their successors, and the smallest. What is halved and doubled, padded to a multiple, or cut at a length differs at one of them.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, combinations_with_replacement
from math import gcd
from typing import Any

from dummyio.errors import DTypeError
from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import name_unnamed_axis, to_identifier
from dummyio.spec.dims import Dim, Size, evaluate_size
from dummyio.spec.spec_data import OutputSpec
from dummyio_tensorflow.description.trial_traces import Trace
from dummyio_tensorflow.dtypes import from_native

_STRIDES = 2 * 3 * 5 * 7
_GROWTH = 2
_SEARCHED = 64
"""Sizes that are tried to find one without a factor of `_STRIDES`."""
_MOST_OPERATIONS = 3000
"""Operations of a graph up to which it is traced again where only its batch is dynamic."""


def describe_outputs(
    spec: InputSpec,
    free: Trace | None,
    fixed: Trace | None,
    declared: Sequence[str],
    trace_at: Callable[[Mapping[str, int]], Trace],
) -> tuple[OutputSpec, ...]:
    """Return the outputs, by their names alone without a trace.

    Parameters
    ----------
    spec
        The inputs.
    free, fixed
        The traces with dynamic sizes, and at sizes that all differ.
    declared
        The names of a file's outputs.
    trace_at
        Traces the model at some sizes.
    """
    traces = [fixed] if fixed is not None and fixed.error is None else []
    source = free if free is not None and free.error is None else traces[0] if traces else None
    if source is None:
        return tuple(OutputSpec(name) for name in declared)
    is_free = source is free
    if traces and _has_open_sizes(source, traces[0], is_free=is_free):
        more = (trace_at(sizes) for sizes in _list_other_sizes(spec, traces[0].sizes))
        traces += [trace for trace in more if trace.error is None]
    dims = [spec.dims[name] for name in (traces[0].sizes if traces else ()) if name in spec.dims]
    found: list[OutputSpec] = []
    for name, tensor in source.outputs:
        known = tensor.shape if is_free else None
        shape = _find_shape(name, known, [(trace.sizes, dict(trace.outputs).get(name)) for trace in traces], dims)
        try:
            found.append(OutputSpec(name, shape, from_native(tensor.dtype)))
        except DTypeError:
            found.append(OutputSpec(name, shape))
    return tuple(found)


def _has_open_sizes(source: Trace, fixed: Trace, *, is_free: bool) -> bool:
    """Whether more traces may tell a size; in a large graph, the first axis alone is that of the batch."""
    if not fixed.sizes or not is_free:
        return bool(fixed.sizes)
    open_axes = {
        axis
        for _, tensor in source.outputs
        for axis, size in enumerate(tensor.shape.as_list() if tensor.shape.rank is not None else ())
        if size is None
    }
    return bool(open_axes) and (open_axes != {0} or len(source.graph.get_operations()) <= _MOST_OPERATIONS)


def _list_other_sizes(spec: InputSpec, first: Mapping[str, int]) -> Iterator[dict[str, int]]:
    """Yield sizes that all differ and are larger than the first ones, their successors, and the smallest."""
    large, successors, small = dict(first), dict(first), dict(first)
    taken = set(first.values())
    for name in first:
        dim = spec.dims.get(name)
        if dim is None or dim.fixed:
            continue
        large[name] = _choose_size(dim, _GROWTH * first[name] + 1, taken)
        following = large[name] + dim.multiple_of
        successors[name] = following if dim.takes(following) else large[name] - dim.multiple_of
        small[name] = _choose_size(dim, dim.min, set())
        taken |= {large[name], successors[name]}
    yield large
    if all(dim.takes(successors[name]) for name, dim in spec.dims.items() if name in successors):
        yield successors
    if small not in (large, successors):
        yield small


def _choose_size(dim: Dim, least: int, taken: set[int]) -> int:
    """Return the first size from `least` on that a dim can take, without a factor of usual strides; near its bound else."""
    step = dim.multiple_of
    start = -(-max(least, 1) // step) * step
    above = range(start, start + _SEARCHED * step, step)
    below = range(start, max(dim.min, 1) - 1, -step)
    free = [size for size in (*above, *below) if dim.takes(size) and size not in taken]
    return next((size for size in free if gcd(size // step, _STRIDES) == 1), free[0] if free else dim.size)


def _find_shape(
    name: str, known: Any, results: Sequence[tuple[Mapping[str, int], Any]], dims: Sequence[Dim]
) -> tuple[Size, ...] | None:
    """Return the shape of a result: the sizes that are `known`, else what fits those of all traces; None if no trace tells its rank."""
    shapes = [
        (sizes, tensor.shape.as_list())
        for sizes, tensor in results
        if tensor is not None and tensor.shape.rank is not None
    ]
    ranks = {len(shape) for _, shape in shapes} | ({known.rank} if known is not None else set())
    if len(ranks) != 1 or None in ranks:
        return None
    (rank,) = ranks
    declared = [None] * rank if known is None else known.as_list()
    return tuple(
        size
        if size is not None
        else _fit_size([(sizes, shape[axis]) for sizes, shape in shapes], dims, name_unnamed_axis(name, axis))
        for axis, size in enumerate(declared)
    )


def _fit_size(values: Sequence[tuple[Mapping[str, int], int | None]], dims: Sequence[Dim], otherwise: str) -> Size:
    """Return the one simplest expression that has the size of an axis in all traces; else a dim of its own."""
    points = [(sizes, size) for sizes, size in values if size is not None]
    own = Dim(to_identifier(otherwise), (points[0][1] if points else 0) or 1, min=0)
    if not points or len(points) < len(values):  # it depends on values
        return own
    first = points[0][1]
    if len({size for _, size in points}) == 1 and (len(points) > 1 or not dims):
        return first
    for candidates in _list_expressions(points, dims):
        found = [size for size in candidates if all(evaluate_size(size, sizes) == value for sizes, value in points)]
        if found:
            return found[0] if len(found) == 1 else own
    return own


def _list_expressions(points: Sequence[tuple[Mapping[str, int], int]], dims: Sequence[Dim]) -> Iterator[list[Size]]:
    """Yield expressions, the simplest first: dims; with two traces sums and products; with three what is added to or multiplied with them."""
    yield list(dims)
    if len(points) < _FOR_PAIRS:
        return
    sums: list[Size] = [a + b for a, b in combinations(dims, 2)]
    yield [*sums, *(a * b for a, b in combinations_with_replacement(dims, 2))]
    (first, value), (second, other) = points[:2]
    if len(points) < _FOR_LINES:
        return
    lines: list[Size] = []
    for dim in dims:
        slope, rest = divmod(other - value, (second[dim.name] - first[dim.name]) or other - value + 1)
        if slope > 0 and not rest:
            lines.append(slope * dim + (value - slope * first[dim.name]))
    yield [*lines, *(both + (value - evaluate_size(both, first)) for both in sums)]


_FOR_PAIRS, _FOR_LINES = 2, 3
"""Traces that are needed to tell sums and products of dims from coincidences, and lines along a dim."""
