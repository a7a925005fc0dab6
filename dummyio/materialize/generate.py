"""From a spec to values: plans, parts, samples, and the conversion to each framework.

Values are made once, in NumPy, and converted by the framework's backend, so all frameworks hold the same bits.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod
from typing import Any

from dummyio.backend.protocol import Backend
from dummyio.backend.registry import load_backend
from dummyio.errors import MemoryBudgetError, OptionError, suggest_names
from dummyio.materialize.counter_rng import sample_key
from dummyio.materialize.index_region import Region
from dummyio.materialize.memory_budget import (
    build_allocation_error,
    check_array_shape,
    check_budget,
    check_signature_shape,
    count_bytes,
    measure_sample,
)
from dummyio.materialize.plan import Plan, make_part
from dummyio.spec.dims import substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.plain_values import show_value
from dummyio.spec.spec_data import SpecData
from dummyio.spec.tensor_spec import build_nested
from dummyio.typing import Array

_MAX_PLANS = 64


def _get_plan(spec: SpecData, dims: Mapping[str, int], count_copies: Callable[[DType], int]) -> Plan:
    """Return the compiled plan of `spec` at these sizes, which fits the memory budget; the spec keeps it."""
    key = tuple(spec.sizes(**dims).values()) if dims else ()
    plans = spec._plans  # noqa: SLF001 - the spec's store for this module
    plan: Plan | None = plans.get(key)
    if plan is None:
        sizes = spec.sizes(**dims)
        shapes = spec.shapes(sizes)
        need = measure_sample(spec, shapes)
        need.check(count_copies)
        plan = Plan(spec, sizes, shapes, need)
        if len(plans) >= _MAX_PLANS:
            plans.clear()
        plans[key] = plan
    elif plan.large:  # the free memory changes
        plan.need.check(count_copies)
    return plan


def _find_copy_counts(backend: Backend, device: Any) -> Callable[[DType], int]:
    """Return how many copies of an input, by its dtype, exist besides NumPy's array while it is converted."""
    own: Callable[[DType], int] | None = getattr(backend, "count_copies", None)
    return own if own is not None and device in (None, "cpu") else _count_usual_copies


def _count_usual_copies(dtype: DType) -> int:
    """TensorFlow and JAX make an array of their own first, and then a tensor."""
    del dtype
    return 2


def _count_no_copies(dtype: DType) -> int:
    del dtype
    return 0


def generate(
    spec: SpecData, framework: str, seed: int, sample: int, device: Any, dims: Mapping[str, int], binding: Any = None
) -> Any:
    """See `InputSpec.generate`."""
    backend = load_backend(framework)
    bind = getattr(backend, "bind", None)
    if binding is not None and bind is None:
        raise OptionError(
            f"binding={show_value(binding)}: the framework {backend.name!r} has no bindings. Give framework='ort' with a session "
            "of ONNX Runtime, or leave it out."
        )
    plan = _get_plan(spec, dims, _find_copy_counts(backend, device))
    try:
        found = _convert(spec, plan.run(seed, _check_count("sample", sample)), backend, device)
        return found if binding is None or bind is None else bind(found, binding)
    except MemoryBudgetError:
        raise
    except MemoryError as error:
        raise build_allocation_error(f"one sample of {plan.need.names}") from error


def _check_count(name: str, value: int) -> int:
    """Return `value`, or raise `OptionError` if it is not a whole number, or negative."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise OptionError(f"{name}={show_value(value)}: give a whole number that is not negative.")
    return number


def samples(
    spec: SpecData, n: int, framework: str, seed: int, start: int, device: Any, dims: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """See `InputSpec.samples`."""
    backend = load_backend(framework)
    n, start = _check_count("n", n), _check_count("start", start)
    plan = _get_plan(spec, dims, _find_copy_counts(backend, device))

    def iterate() -> Iterator[dict[str, Any]]:  # a generator function itself would check its arguments late
        for first in range(start, start + n, plan.chunk):
            try:
                made = plan.run_many(seed, first, min(plan.chunk, start + n - first))[::-1]
                while made:  # no sample is kept here while the next one is made
                    yield _convert(spec, made.pop(), backend, device)
            except MemoryBudgetError:
                raise
            except MemoryError as error:
                raise build_allocation_error(f"one sample of {plan.need.names}") from error

    return iterate()


def feeds(spec: SpecData, seed: int, sample: int, dims: Mapping[str, int]) -> dict[str, Any]:
    """See `InputSpec.feeds`."""
    plan = _get_plan(spec, dims, _count_no_copies)
    try:
        return plan.run(seed, _check_count("sample", sample))
    except MemoryBudgetError:
        raise
    except MemoryError as error:
        raise build_allocation_error(f"one sample of {plan.need.names}") from error


def materialize_part(
    spec: SpecData, path: str, index: Sequence[slice], *, seed: int = 0, sample: int = 0, **dims: int
) -> Array:
    """Return ``spec.feeds(...)[path][index]`` without making the rest: a shard of a large tensor.

    Parameters
    ----------
    spec
        The inputs of a model.
    path
        The path of one input.
    index
        A slice with a positive step for each axis; axes without one are taken whole.
    seed, sample, dims
        As in `InputSpec.generate`.

    Raises
    ------
    OptionError
        If no input has this path, or a slice is invalid.
    MemoryBudgetError
        If the part exceeds the memory budget.

    Examples
    --------
    >>> spec = InputSpec({"x": TensorSpec("x", (10**6, 10**6), "int8")})  # a terabyte
    >>> dummyio.materialize_part(spec, "x", [slice(5, 6), slice(0, 4)])
    array([[0, 0, 1, 1]], dtype=int8)
    """
    leaves = dict(spec.leaves)
    leaf = leaves.get(path) if isinstance(path, str) else None
    if leaf is None:
        raise OptionError(f"path={show_value(path)}: no input has that path. {suggest_names(show_value(path), leaves)}")
    sizes = spec.sizes(**dims)
    shapes = spec.shapes(sizes)
    region = Region.of(shapes[path], index)
    check_array_shape(path, leaf, region.sizes)
    check_budget(count_bytes(leaf, prod(region.sizes), distinct=True), f"a part of {path}")
    try:
        return make_part(spec, path, region, sizes, shapes, sample_key(seed, _check_count("sample", sample)))
    except MemoryBudgetError:
        raise
    except MemoryError as error:
        raise build_allocation_error(f"a part of {path}") from error


def abstract(spec: SpecData, framework: str, dims: Mapping[str, int]) -> dict[str, Any]:
    """See `InputSpec.abstract`."""
    backend = load_backend(framework)
    spec.sizes(**dims)
    signed = {path: leaf.replace(shape=[substitute_dims(s, dims) for s in leaf.shape]) for path, leaf in spec.leaves}
    for path, leaf in signed.items():
        check_signature_shape(path, leaf)
    leaves = backend.abstract(signed)
    return _nest_leaves(spec, leaves, backend)


def to_framework(spec: SpecData, leaves: Mapping[str, Array], framework: str, device: Any = None) -> dict[str, Any]:
    """Return flat NumPy feeds as tensors of a framework, nested as the model takes them.

    The caller must not use the arrays of `leaves` again: tensors may share their memory.
    """
    return _convert(spec, dict(leaves), load_backend(framework), device)


def _convert(spec: SpecData, leaves: dict[str, Array], backend: Backend, device: Any) -> dict[str, Any]:
    if backend.name != "np" or device is not None:
        # Each array is dropped when it is converted, so that only one exists twice.
        leaves = {path: backend.from_numpy(leaves.pop(path), leaf.dtype, device) for path, leaf in spec.leaves}
    return _nest_leaves(spec, leaves, backend)


def _nest_leaves(spec: SpecData, leaves: dict[str, Any], backend: Backend) -> dict[str, Any]:
    """Return leaves nested as the spec; flat, by path, if the framework's runtime takes flat feeds."""
    if backend.flat or not spec.nested:
        return leaves
    return {name: build_nested(node, leaves, name, backend.cache) for name, node in spec.items()}
