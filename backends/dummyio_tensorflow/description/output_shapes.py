"""The outputs of a model with symbolic sizes: from one trace with dynamic sizes, and one at sizes that all differ."""

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

from dummyio.errors import DTypeError
from dummyio.input_spec import InputSpec
from dummyio.sources.axis_names import name_unnamed_axis, to_identifier
from dummyio.spec.dims import Dim, Size, evaluate_size
from dummyio.spec.spec_data import OutputSpec
from dummyio_tensorflow.description.trial_traces import Trace
from dummyio_tensorflow.dtypes import from_native


def describe_outputs(
    spec: InputSpec, free: Trace | None, fixed: Trace | None, declared: Sequence[str]
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
    """
    source = free if free is not None and free.error is None else fixed
    if source is None or source.error is not None:
        return tuple(OutputSpec(name) for name in declared)
    sizes = fixed.sizes if fixed is not None else {}
    dims = {name: spec.dims[name] for name in sizes}
    known = dict(fixed.outputs) if fixed is not None and fixed.error is None else {}
    found: list[OutputSpec] = []
    for name, tensor in source.outputs:
        shape = _symbolic_shape(name, tensor.shape, known.get(name), dims, sizes)
        try:
            found.append(OutputSpec(name, shape, from_native(tensor.dtype)))
        except DTypeError:
            found.append(OutputSpec(name, shape))
    return tuple(found)


def _symbolic_shape(
    name: str, free: Any, fixed: Any, dims: Mapping[str, Dim], sizes: Mapping[str, int]
) -> tuple[Size, ...] | None:
    if fixed is None or free.rank is None or fixed.shape.rank != free.rank:
        return tuple(free.as_list()) if free.is_fully_defined() else None
    pairs = zip(free.as_list(), fixed.shape.as_list(), strict=True)
    return tuple(
        size if size is not None else _symbolic_size(known, dims, sizes, name_unnamed_axis(name, axis))
        for axis, (size, known) in enumerate(pairs)
    )


def _symbolic_size(size: int | None, dims: Mapping[str, Dim], sizes: Mapping[str, int], otherwise: str) -> Size:
    """Return the one dim, or sum or product of two, that has this size when all sizes differ; else a new dim."""
    found: list[Size] = [dim for dim in dims.values() if sizes[dim.name] == size]
    if not found and size is not None:
        pairs = combinations_with_replacement(dims.values(), 2)
        found = [both for a, b in pairs for both in (a + b, a * b) if evaluate_size(both, sizes) == size]
    return found[0] if len(found) == 1 else Dim(to_identifier(otherwise), size or 1, min=0)
