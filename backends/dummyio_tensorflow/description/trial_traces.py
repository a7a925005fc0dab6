"""Traces of a model that may fail, with symbolic and with static sizes."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from weakref import WeakKeyDictionary

import tensorflow as tf

from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim, Size, find_dims
from dummyio_tensorflow.calling.frozen_function import freeze_model, trace_model, without_xla
from dummyio_tensorflow.calling.saved_model_protos import SavedSignature
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.signature import abstract

_INLINED = 1 << 28
"""Bytes of weights up to which a graph is frozen, to see the operations of the functions that it calls."""


@dataclass
class Trace:
    """The graph of a model, or the error that tracing it raised."""

    graph: Any = None
    placeholders: dict[str, str] = field(default_factory=dict[str, str])
    """The name of a placeholder's tensor → path."""

    outputs: tuple[tuple[str, Any], ...] = ()
    """Name and symbolic tensor, in the model's order."""

    error: Exception | None = None

    sizes: Mapping[str, int] = field(default_factory=dict[str, int])
    """The sizes of the dims; none if they were symbolic."""


def trace_symbolic(model: Any, spec: InputSpec) -> Trace:
    """Trace a model on a spec's inputs, with dynamic sizes if the spec has them."""
    if isinstance(model, SavedSignature):
        return _import_signature(model, spec)
    try:
        with silence_output(), without_xla():
            function, names = trace_model(model, spec)
            graph, inputs, outputs = function.graph, function.inputs, function.outputs
            if _has_calls(graph) and _count_bytes(function) < _INLINED:
                frozen = freeze_model(model, spec).graph
                graph, inputs = frozen.graph, frozen.inputs
    except DummyioError as error:
        return Trace(error=error)
    own = inputs[: len(spec.leaves)]  # behind them are the variables
    placeholders = {tensor.name: path for tensor, (path, _) in zip(own, spec.leaves, strict=True)}
    return Trace(graph, placeholders, tuple(zip(names, outputs, strict=True)))


def _import_signature(model: SavedSignature, spec: InputSpec) -> Trace:
    """Return the graph of a SavedModel's signature as a trace; what does not take these sizes is not imported."""
    try:
        graph, inputs, outputs = model.import_graph(abstract(dict(spec.leaves)))
    except DummyioError as error:
        return Trace(error=error)
    return Trace(graph, {tensor.name: path for path, tensor in inputs.items()}, tuple(outputs.items()))


def _has_calls(graph: Any) -> bool:
    return any(op.type in ("PartitionedCall", "StatefulPartitionedCall") for op in graph.get_operations())


def _count_bytes(function: Any) -> int:
    return sum(int(variable.shape.num_elements() or 0) * variable.dtype.size for variable in function.variables)


def trace_at_sizes(model: Any, spec: InputSpec, sizes: Mapping[str, int]) -> Trace:
    """Trace a model with every size static."""
    names = {dim.name for _, leaf in spec.leaves for dim in _dynamic_dims(leaf.shape)}
    fixed = spec.with_dims(**{name: Dim.static(name, sizes[name]) for name in names})
    return replace(trace_symbolic(model, fixed), sizes=sizes)


def measure_results(model: Any, spec: InputSpec) -> tuple[int, int]:
    """Return the bytes of all results that a call of a model makes, and those of its inputs, from a trace at some sizes.

    The trace that described the model is used if there was one; 0 results if it does not trace.
    """
    known = _RESULTS.get(model)
    if known is not None:
        return known
    trace = trace_at_sizes(model, spec, spec.sizes())
    return (count_results(trace) if trace.error is None else 0), spec.nbytes()


def note_results(model: Any, trace: Trace, spec: InputSpec) -> None:
    """Keep what `measure_results` returns, for as long as the model exists."""
    if trace.error is None:
        _RESULTS[model] = (count_results(trace), spec.nbytes(**trace.sizes))


_RESULTS: WeakKeyDictionary[Any, tuple[int, int]] = WeakKeyDictionary()
_HELD = ("Const", "Placeholder", "ReadVariableOp", "VarHandleOp")
"""Operations whose results a call does not allocate."""


def count_results(trace: Trace) -> int:
    """Return the bytes of all results of a trace whose shapes are known."""
    tensors = [tensor for op in trace.graph.get_operations() if op.type not in _HELD for tensor in op.outputs]
    return sum(
        int(tensor.shape.num_elements()) * tensor.dtype.size
        for tensor in tensors
        if tensor.shape.is_fully_defined() and tensor.dtype not in (tf.resource, tf.variant)
    )


def _dynamic_dims(shape: tuple[Size, ...]) -> Iterator[Dim]:
    return (dim for size in shape for dim in find_dims(size) if not dim.fixed)


def find_bounds(model: Any, spec: InputSpec, tables: Mapping[str, tuple[int, str]]) -> tuple[InputSpec, dict[str, str]]:
    """Bound the dims of a spec by tables and traces.

    Parameters
    ----------
    model, spec
        A model, and a spec with which it traces at sizes that all differ.
    tables
        Dim → the largest size that a table of positions allows, and the table's name.

    Returns
    -------
    tuple[InputSpec, dict[str, str]]
        The spec with its bounds, and the reason for each by name.
    """
    dims: dict[str, Dim] = {}
    reasons: dict[str, str] = {}
    for name, (most, table) in tables.items():
        dim = spec.dims[name]
        if most >= max(dim.min, 1):
            dims[name] = replace(dim, size=min(dim.size, most), max=most)
            reasons[name] = f"at most {most}, because of {table}"
    for name in list_windowed_dims(spec):
        least = _find_smallest_size(model, spec, name)
        if least > 1:
            dims[name] = replace(dims.get(name, spec.dims[name]), min=least)
            reasons[name] = f"at least {least}: it does not trace below"
    return (spec.with_dims(**dims) if dims else spec), reasons


def list_windowed_dims(spec: InputSpec) -> list[str]:
    """Return the dims along which windows may slide, which then have a smallest size: those of floats, behind the batch."""
    floats = [leaf for _, leaf in spec.leaves if leaf.dtype.kind == "float"]
    return list(dict.fromkeys(dim.name for leaf in floats for dim in _dynamic_dims(leaf.shape[1:])))


def _find_smallest_size(model: Any, spec: InputSpec, name: str) -> int:
    """Return the smallest size at which the model traces, others at their defaults."""
    dim = spec.dims[name]

    def traces(size: int) -> bool:
        wide = spec.with_dims(**{name: replace(dim, max=None, size=size)})
        return trace_at_sizes(model, wide, {**spec.sizes(), name: size}).error is None

    low, high = 1, dim.size
    if traces(low) or not traces(high):
        return low
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if traces(middle) else (middle, high)
    return high
