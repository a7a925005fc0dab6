"""A trace that may fail, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dummyio.dims import Dim, symbols
from dummyio.errors import DummyioError
from dummyio.spec import InputSpec
from dummyio_tensorflow.freeze import freeze, trace, without_xla
from dummyio_tensorflow.quiet import quiet

__all__ = ["Trace", "fixed_at", "look"]

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


def look(model: Any, spec: InputSpec) -> Trace:
    """Return the trace of a model on a spec's inputs, or why there is none."""
    try:
        with quiet(), without_xla():
            function, names = trace(model, spec)
            graph, inputs, outputs = function.graph, function.inputs, function.outputs
            if _calls(graph) and _weights(function) < _INLINED:
                frozen = freeze(model, spec).graph
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


def fixed_at(spec: InputSpec) -> InputSpec:
    """Return the spec with every size fixed, at sizes that all differ."""
    sizes = spec.probes()[0]
    inputs = {dim.name for _, leaf in spec.leaves for size in leaf.shape for dim in _free(size)}
    return spec.with_dims(**{name: Dim(name, sizes[name], min=sizes[name], max=sizes[name]) for name in inputs})


def _free(size: Any) -> tuple[Dim, ...]:
    return tuple(dim for dim in symbols(size) if not dim.fixed)
