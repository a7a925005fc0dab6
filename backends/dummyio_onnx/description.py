"""Describe an ONNX model: its graph says names, order, dtypes, axes, and much of what the inputs must hold.

Weights are not read: those in the file enter by their dimensions, those beside it are not opened.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

import onnx

from dummyio.errors import DTypeError, OptionError, SourceError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.sources.graph.dim_bounds import bound_dims
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.graph.graph_facts import SizeLimit
from dummyio.sources.graph.input_roles import Input, InputRuleChooser, find_position_limit
from dummyio.sources.graph.shared_axes import find_past_length, set_mask_lengths, share_axis_names
from dummyio.sources.options import READER_OPTIONS, apply_sizes, check_choices
from dummyio.spec.dims import Dim, Size, collect_dims, substitute_dims
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Positions
from dummyio.typing import Axes
from dummyio_onnx.analysis.graph_facts import ValueFacts
from dummyio_onnx.analysis.operator_rules import propagate_facts
from dummyio_onnx.analysis.raw_axes import read_raw_axes
from dummyio_onnx.dtypes import from_native
from dummyio_onnx.read_model import read_model

__all__ = ["describe"]

_OPTIONS = (*READER_OPTIONS, "shapes")


def describe(
    source: str | os.PathLike[str] | onnx.ModelProto,
    *,
    dims: Mapping[str, Any] | None = None,
    options: Mapping[str, Any] | None = None,
) -> InputSpec:
    """Return the description of an ONNX model's inputs.

    Parameters
    ----------
    source
        A file, or a model in memory.
    dims
        Default sizes for symbols, by name.
    options
        ``padding_side``, ``mask_policy``: as in `PaddingMask`. ``shapes``: input → sizes and names of its axes, for inputs
        of which the graph does not know how many they have. They may stand among `dims` too.

    Raises
    ------
    SourceError
        for what is no ONNX model, and for inputs that are no tensors or have no shape.
    OptionError
        for a name that is no symbol of this model and no option, with the near ones.
    """
    given = {**(dims or {}), **(options or {})}
    chosen = _checked({name: given.pop(name) for name in _OPTIONS if name in given})
    spec = _described(read_model(source), source, chosen)
    return apply_sizes(spec, given, _OPTIONS, "model")


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    check_choices(chosen)
    if not isinstance(chosen.get("shapes", {}), Mapping):
        raise OptionError(
            f"shapes={chosen['shapes']!r}: give a mapping of inputs to shapes, such as {{'x': ('batch', 3)}}."
        )
    return chosen


def _described(model: onnx.ModelProto, source: object, chosen: Mapping[str, Any]) -> InputSpec:
    values = _inputs(model.graph)
    axes = share_axis_names(_axes(values, chosen.get("shapes", {})))
    symbols = DimTable(axes)
    shapes, past = _shapes(symbols, axes)
    facts = propagate_facts(model, shapes, symbols.known)
    inputs = InputRuleChooser(
        all={value.name: Input(value.name, shapes[value.name], _dtype(value)) for value in values},
        evidence=facts.evidence,
        past=past,
        side=chosen.get("padding_side"),
        policy=chosen.get("mask_policy", "ragged"),
    )
    rules = {name: inputs.rule(name) for name in inputs.all}
    notes = {f"input {name}": note for name, (_, note) in rules.items() if note}
    tensors = {name: TensorSpec(name, item.shape, item.dtype, rules[name][0]) for name, item in inputs.all.items()}
    outputs = [_output(symbols, facts, value) for value in model.graph.output]
    return _limited(inputs, tensors, outputs, {**_origin(model, source), **notes})


# Inputs.


def _inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return what must be fed: before version 4 of the format, weights stand among the inputs too."""
    weights = {tensor.name for tensor in graph.initializer} | {
        sparse.values.name for sparse in graph.sparse_initializer
    }
    values = [value for value in graph.input if value.name not in weights]
    names = [value.name for value in (*values, *graph.output)]
    if not all(isinstance(name, str) and name for name in names) or len(set(names[: len(values)])) < len(values):
        raise SourceError(
            f"the names of this model's inputs and outputs are not whole and unique: {names}. It is damaged."
        )
    for value in values:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            raise SourceError(
                f"input {value.name!r} is no tensor but of {kind or 'no type'}: only tensors can be described. "
                "Wrap the model so that it takes tensors."
            )
    return values


def _axes(values: Sequence[onnx.ValueInfoProto], shapes: Mapping[str, Any]) -> dict[str, Axes]:
    names = [value.name for value in values]
    unknown = next((name for name in shapes if name not in names), None)
    if unknown is not None:
        raise OptionError(f"shapes: no input is named {unknown!r}. {suggest_names(unknown, names)}")
    axes = {
        value.name: _given(value.name, shapes[value.name]) if value.name in shapes else read_raw_axes(value)
        for value in values
    }
    found = {name: shape for name, shape in axes.items() if shape is not None}
    for name in names:
        if name not in found:
            raise SourceError(
                f"input {name!r} has no shape in the model, not even a number of axes. Say it with the option "
                f"shapes={{{name!r}: ('batch_size', 3)}}, or set it in the model."
            )
    return found


def _given(name: str, shape: Any) -> Axes:
    if isinstance(shape, (list, tuple)) and all(
        axis is None or isinstance(axis, str) or (isinstance(axis, int) and axis >= 0) for axis in shape
    ):
        return tuple(shape)
    raise OptionError(f"shapes[{name!r}]={shape!r}: give a list of sizes, names and None.")


def _dtype(value: onnx.ValueInfoProto) -> DType:
    number = value.type.tensor_type.elem_type
    try:
        return from_native(number)
    except DTypeError as error:
        raise SourceError(
            f"input {value.name!r} has element type {number}, which onnx {onnx.__version__} does not know. Upgrade onnx."
        ) from error


def _shapes(symbols: DimTable, axes: Mapping[str, Axes]) -> tuple[dict[str, tuple[Size, ...]], Size]:
    """Return the inputs' shapes, with masks over past and present as long as both; and the length of the past."""
    shapes = {name: symbols.shape(name, texts) for name, texts in axes.items()}
    past = find_past_length(shapes)
    for name, size in set_mask_lengths(shapes, past).items():
        symbols.replace(name, axes[name], len(axes[name]) - 1, size)
    return {name: symbols.shape(name, texts) for name, texts in axes.items()}, past


# Outputs, bounds and where it is all from.


def _output(symbols: DimTable, facts: ValueFacts, value: onnx.ValueInfoProto) -> OutputSpec:
    if value.type.WhichOneof("value") != "tensor_type":
        return OutputSpec(value.name)
    axes, found = read_raw_axes(value), facts.shapes.get(value.name)
    try:
        dtype = from_native(value.type.tensor_type.elem_type)
    except DTypeError:
        dtype = None
    shape = None if axes is None else symbols.output(value.name, axes, found or (None,) * len(axes))
    return OutputSpec(value.name, shape, dtype)


def _limited(
    inputs: InputRuleChooser,
    tensors: Mapping[str, TensorSpec],
    outputs: Sequence[OutputSpec],
    provenance: Mapping[str, str],
) -> InputSpec:
    """Return the spec, its symbols bounded by what the graph shows and by the tables that positions index."""
    limits = list(inputs.evidence.limits)
    for name, tensor in tensors.items():
        if isinstance(tensor.values, Positions) and name in inputs.evidence.rows:
            limits.append(
                SizeLimit(find_position_limit(inputs, inputs.all[name], tensor.values), *inputs.evidence.rows[name])
            )
    known = collect_dims(size for tensor in tensors.values() for size in tensor.shape)
    dims, reasons = bound_dims(known, limits, inputs.evidence.floors)
    return InputSpec(
        {name: tensor.replace(shape=_substituted(tensor.shape, dims)) for name, tensor in tensors.items()},
        outputs=tuple(
            OutputSpec(o.name, None if o.shape is None else _substituted(o.shape, dims), o.dtype) for o in outputs
        ),
        provenance={**provenance, **{f"dim {name}": " ".join(reason.split()) for name, reason in reasons.items()}},
    )


def _substituted(shape: Sequence[Size], dims: Mapping[str, Dim]) -> tuple[Size, ...]:
    return tuple(substitute_dims(size, dims) for size in shape)


def _origin(model: onnx.ModelProto, source: object) -> dict[str, str]:
    opsets = ", ".join(f"{opset.domain or 'ai.onnx'} {opset.version}" for opset in model.opset_import)
    return {
        "source": os.fspath(source) if isinstance(source, (str, os.PathLike)) else "an onnx.ModelProto",
        "producer": f"{model.producer_name} {model.producer_version}".strip() or "not said",
        "ir_version": str(model.ir_version),
        "opset": opsets,
    }
