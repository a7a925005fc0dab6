"""A trace that may fail, and what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, find_dims
from dummyio_tensorflow.calling.frozen_function import freeze_model, trace, without_xla
from dummyio_tensorflow.calling.silence import quiet

__all__ = ["Trace", "bounds_by_traces", "trace_at_sizes", "trace_symbolic"]

_INLINED = 1 << 28
"""Bytes of weights up to which a graph is frozen to see what the functions that it calls do with its inputs."""


@dataclass
class Trace:
    """What came of tracing a model."""

    graph: Any = None
    placeholders: dict[str, str] = field(default_factory=dict[str, str])
    """The name of a placeholder's tensor → path."""

    outputs: tuple[tuple[str, Any], ...] = ()
    """Name → a symbolic tensor, in the model's order."""

    error: Exception | None = None

    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """The sizes of the symbols; none where they were free."""


def trace_symbolic(model: Any, spec: InputSpec) -> Trace:
    """Return the trace of a model on a spec's inputs, or why there is none."""
    try:
        with quiet(), without_xla():
            function, names = trace(model, spec)
            graph, inputs, outputs = function.graph, function.inputs, function.outputs
            if _calls(graph) and _weights(function) < _INLINED:
                frozen = freeze_model(model, spec).graph
                graph, inputs = frozen.graph, frozen.inputs
    except DummyioError as error:
        return Trace(error=error)
    own = inputs[: len(spec.leaves)]  # behind them stand the variables
    placeholders = {tensor.name: path for tensor, (path, _) in zip(own, spec.leaves, strict=True)}
    return Trace(graph, placeholders, tuple(zip(names, outputs, strict=True)))


def _calls(graph: Any) -> bool:
    return any(op.type in ("PartitionedCall", "StatefulPartitionedCall") for op in graph.get_operations())


def _weights(function: Any) -> int:
    return sum(int(variable.shape.num_elements() or 0) * variable.dtype.size for variable in function.variables)


def trace_at_sizes(model: Any, spec: InputSpec, sizes: Mapping[str, int]) -> Trace:
    """Return the trace with every size fixed."""
    return replace(trace_symbolic(model, _fixed_at(spec, sizes)), sizes=sizes)


def _fixed_at(spec: InputSpec, sizes: Mapping[str, int]) -> InputSpec:
    inputs = {dim.name for _, leaf in spec.leaves for size in leaf.shape for dim in _free(size)}
    return spec.with_dims(**{name: Dim(name, sizes[name], min=sizes[name], max=sizes[name]) for name in inputs})


def _free(size: Any) -> tuple[Dim, ...]:
    return tuple(dim for dim in find_dims(size) if not dim.fixed)


def bounds_by_traces(
    model: Any, spec: InputSpec, tables: Mapping[str, tuple[int, str]]
) -> tuple[InputSpec, dict[str, str]]:
    """Return the spec with the bounds that tables and traces show; and by symbol, where they are from.

    Parameters
    ----------
    model, spec
        What traces at sizes that all differ.
    tables
        Symbol → the largest size that a table of positions allows, and the table's name.
    """
    dims: dict[str, Dim] = {}
    reasons: dict[str, str] = {}
    for name, (most, place) in tables.items():
        dim = spec.dims[name]
        if most >= max(dim.min, 1):
            dims[name] = replace(dim, size=min(dim.size, most), max=most)
            reasons[name] = f"at most {most}, because of {place}"
    for name in _windowed(spec):
        least = _least(model, spec, name)
        if least > 1:
            dims[name] = replace(dims.get(name, spec.dims[name]), min=least)
            reasons[name] = f"at least {least}: it does not trace below"
    return (spec.with_dims(**dims) if dims else spec), reasons


def _takes(model: Any, spec: InputSpec, name: str, size: int) -> bool:
    dim = spec.dims[name]
    wide = spec.with_dims(**{name: replace(dim, max=None, size=size)})
    sizes = {**spec.sizes(), name: size}
    return trace_at_sizes(model, wide, sizes).error is None


def _windowed(spec: InputSpec) -> list[str]:
    """Return the free sizes that windows slide along: of inputs of floats, behind the batch."""
    free = [
        dim.name
        for _, leaf in spec.leaves
        if leaf.dtype.kind == "float"
        for size in leaf.shape[1:]
        for dim in _free(size)
    ]
    return list(dict.fromkeys(free))


def _least(model: Any, spec: InputSpec, name: str) -> int:
    """Return the smallest size that traces, others at their defaults."""
    if _takes(model, spec, name, 1):
        return 1
    low, high = 1, spec.dims[name].size
    if not _takes(model, spec, name, high):
        return 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _takes(model, spec, name, middle) else (middle, high)
    return high
