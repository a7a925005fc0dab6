"""The outputs of a model with their sizes as symbols: from one trace with free sizes, and one at sizes that all differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations_with_replacement
from typing import Any

from dummyio.errors import DTypeError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, Size, evaluate_size
from dummyio.spec.spec_data import OutputSpec
from dummyio_tensorflow.description.trial_traces import Trace
from dummyio_tensorflow.dtypes import from_native

__all__ = ["output_specs"]


def output_specs(
    spec: InputSpec, free: Trace | None, fixed: Trace | None, declared: Sequence[str]
) -> tuple[OutputSpec, ...]:
    """Return the outputs, by their names alone where there is no trace.

    Parameters
    ----------
    spec
        The inputs.
    free, fixed
        The traces with free sizes, and at sizes that all differ.
    declared
        The names of a file's outputs.
    """
    source = free if free is not None and free.error is None else fixed
    if source is None or source.error is not None:
        return tuple(OutputSpec(name) for name in declared)
    sizes = fixed.sizes if fixed is not None else {}
    known = {name: spec.dims[name] for name in sizes}
    at = dict(fixed.outputs) if fixed is not None and fixed.error is None else {}
    found: list[OutputSpec] = []
    for name, tensor in source.outputs:
        shape = _shape(name, tensor, at.get(name), known, sizes)
        try:
            found.append(OutputSpec(name, shape, from_native(tensor.dtype)))
        except DTypeError:
            found.append(OutputSpec(name, shape))
    return tuple(found)


def _shape(
    name: str, free: Any, fixed: Any, dims: Mapping[str, Dim], sizes: Mapping[str, int]
) -> tuple[Size, ...] | None:
    if fixed is None or free.shape.rank is None or fixed.shape.rank != free.shape.rank:
        return tuple(free.shape.as_list()) if free.shape.is_fully_defined() else None
    pairs = zip(free.shape.as_list(), fixed.shape.as_list(), strict=True)
    return tuple(
        open_ if open_ is not None else _size(size, dims, sizes, f"{name}_dim_{axis}")
        for axis, (open_, size) in enumerate(pairs)
    )


def _size(size: int | None, dims: Mapping[str, Dim], sizes: Mapping[str, int], otherwise: str) -> Size:
    """Return the one symbol, or sum or product of two, that has this size where all sizes differ; else a new symbol."""
    plain: list[Size] = [dim for dim in dims.values() if sizes[dim.name] == size]
    if not plain and size is not None:
        pairs = list(combinations_with_replacement(dims.values(), 2))
        plain = [made for a, b in pairs for made in (a + b, a * b) if evaluate_size(made, sizes) == size]
    if len(plain) == 1:
        return plain[0]
    name = "".join(letter if letter.isalnum() else "_" for letter in otherwise)
    return Dim(name if name.isidentifier() else f"dim_{name}", size or 1, min=0)
