"""From a spec to values: plans, parts, samples, and the way to each framework.

Values are made in NumPy, once, and handed to the framework's backend: that all frameworks hold the same bits is so by
construction.
"""

from __future__ import annotations

import operator
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dummyio.backend.protocol import Backend
from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError
from dummyio.materialize.index_region import Region
from dummyio.materialize.memory_budget import check_budget
from dummyio.materialize.plan import Plan
from dummyio.spec.tensor_spec import build_nested

if TYPE_CHECKING:
    from dummyio.spec.spec_data import SpecData
    from dummyio.typing import Array

__all__ = ["abstract", "feeds", "generate", "materialize_part", "samples", "to_framework"]

_PLANS = 64


def plan_for(spec: SpecData, dims: Mapping[str, int]) -> Plan:
    """Return the compiled plan of `spec` at these sizes; it is kept with the spec."""
    key = tuple(spec.sizes(**dims).values()) if dims else ()
    plans = spec._plans  # noqa: SLF001 - the spec keeps them for us
    found: Plan | None = plans.get(key)
    if found is None:
        sizes = spec.sizes(**dims)
        needed = sum(leaf.nbytes(sizes) for _, leaf in spec.leaves)
        check_budget(needed, f"one sample of {', '.join(spec) or 'nothing'}")
        found = Plan(spec, sizes)
        if len(plans) >= _PLANS:
            plans.clear()
        plans[key] = found
    elif found.large:  # what is free changes
        check_budget(found.nbytes, f"one sample of {', '.join(spec)}")
    return found


def generate(
    spec: SpecData, framework: str, seed: int, sample: int, device: Any, dims: Mapping[str, int]
) -> dict[str, Any]:
    """See `InputSpec.generate`."""
    backend = load_backend(framework)
    return _convert(spec, plan_for(spec, dims).run(seed, _counted("sample", sample)), backend, device)


def _counted(name: str, value: int) -> int:
    """Return `value` where it is a whole number that is not negative."""
    try:
        number = operator.index(value)
    except TypeError:
        number = -1
    if number < 0:
        raise OptionError(f"{name}={value!r}: give a whole number that is not negative.")
    return number


def samples(
    spec: SpecData, n: int, framework: str, seed: int, start: int, device: Any, dims: Mapping[str, int]
) -> Iterator[dict[str, Any]]:
    """See `InputSpec.samples`."""
    backend = load_backend(framework)
    n, start = _counted("n", n), _counted("start", start)
    compiled = plan_for(spec, dims)

    def each() -> Iterator[dict[str, Any]]:
        for first in range(start, start + n, compiled.chunk):
            for leaves in compiled.run_many(seed, first, min(compiled.chunk, start + n - first)):
                yield _convert(spec, leaves, backend, device)

    return each()


def feeds(spec: SpecData, seed: int, sample: int, dims: Mapping[str, int]) -> dict[str, Any]:
    """See `InputSpec.feeds`."""
    return plan_for(spec, dims).run(seed, _counted("sample", sample))


def materialize_part(
    spec: SpecData, path: str, index: Sequence[slice], *, seed: int = 0, sample: int = 0, **dims: int
) -> Array:
    """Return ``spec.feeds(...)[path][index]`` without making the rest: what a shard of a large tensor needs.

    Parameters
    ----------
    spec, path
        Which input.
    index
        A slice for each axis, steps positive; axes not named are taken whole.
    seed, sample, dims
        As in `InputSpec.generate`.
    """
    leaf = dict(spec.leaves).get(path)
    if leaf is None:
        from dummyio.errors import suggest_names  # noqa: PLC0415 - for the message only

        raise OptionError(f"path={path!r}: no input has that path. {suggest_names(path, [p for p, _ in spec.leaves])}")
    compiled = Plan(spec, spec.sizes(**dims))
    region = Region.of(compiled.programs[path].shape, index)
    needed = leaf.dtype.itemsize
    for size in region.sizes:
        needed *= size
    check_budget(needed, f"a part of {path}")
    return compiled.part(path, region, seed, _counted("sample", sample))


def abstract(spec: SpecData, framework: str, dims: Mapping[str, int]) -> dict[str, Any]:
    """See `InputSpec.abstract`."""
    from dummyio.spec.dims import substitute_dims  # noqa: PLC0415 - used here only

    backend = load_backend(framework)
    spec.sizes(**dims)
    leaves = backend.abstract(
        {path: leaf.replace(shape=[substitute_dims(s, dims) for s in leaf.shape]) for path, leaf in spec.leaves}
    )
    return _nested(spec, leaves, backend)


def to_framework(spec: SpecData, leaves: Mapping[str, Array], framework: str, device: Any = None) -> dict[str, Any]:
    """Return flat NumPy feeds, which the caller gives away, as a framework's tensors, nested as the model takes them."""
    return _convert(spec, dict(leaves), load_backend(framework), device)


def _convert(spec: SpecData, leaves: dict[str, Array], backend: Backend, device: Any) -> dict[str, Any]:
    if backend.name != "np" or device is not None:
        leaves = {path: backend.from_numpy(leaves[path], leaf.dtype, device) for path, leaf in spec.leaves}
    return _nested(spec, leaves, backend)


def _nested(spec: SpecData, leaves: dict[str, Any], backend: Backend) -> dict[str, Any]:
    """Return leaves nested as the spec is; flat, by path, for a framework whose runtime takes flat feeds."""
    if backend.flat or not spec.nested:
        return leaves
    return {name: build_nested(node, leaves, name, backend.cache) for name, node in spec.items()}
