"""The spec of an ONNX model: its graph declares names, order, dtypes and axes, and shows much of what the inputs must hold.

Weights are not read: the description uses the dimensions of those in the file, and does not open those in other files.
"""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import onnx

from dummyio.errors import DimError, OptionError, SourceError, SpecError, suggest_names
from dummyio.input_spec import InputSpec
from dummyio.sources.graph.dim_bounds import bound_dims
from dummyio.sources.graph.dim_symbols import DimTable
from dummyio.sources.graph.input_roles import Input, InputRuleChooser
from dummyio.sources.graph.shared_axes import resolve_shapes, share_axis_names
from dummyio.sources.options import apply_sizes, check_options
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Axes
from dummyio_onnx.analysis.graph_facts import ValueFacts
from dummyio_onnx.analysis.operator_rules import propagate_facts
from dummyio_onnx.analysis.soundness import check_graph
from dummyio_onnx.dtypes import find_dtype
from dummyio_onnx.read_model import expand_inputs, find_graph_inputs, format_opsets, read_axes, read_model

_OPTIONS = ("shapes", "custom_ops")


def describe(source: str | os.PathLike[str] | onnx.ModelProto, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the spec of an ONNX model's inputs.

    Parameters
    ----------
    source
        A file, or a model in memory.
    dims
        Default sizes of dims, by name. Options: ``padding_side``, ``mask_policy``: as in `PaddingMask`; ``shapes``: input →
        sizes and names of its axes, for inputs whose rank the graph does not declare; ``custom_ops``: libraries of custom
        operators, for the runs that prove the description.

    Raises
    ------
    SourceError
        If the source is not an ONNX model, or an input is not a tensor or has no shape.
    OptionError
        If a name is neither a dim of this model nor an option; the message suggests similar names.
    """
    chosen, sizes = check_options(dims, _OPTIONS)
    model = read_model(source)
    try:
        check_graph(model)
        spec = _describe_model(model, source, chosen)
    except (DimError, SourceError, SpecError) as error:
        raise SourceError(f"{_origin(model, source)['source']}: {error}") from error
    return apply_sizes(spec, sizes, _OPTIONS, "model")


def _describe_model(
    model: onnx.ModelProto, source: str | os.PathLike[str] | onnx.ModelProto, chosen: Mapping[str, Any]
) -> InputSpec:
    values = _check_inputs(model.graph)
    axes = share_axis_names(_choose_axes(values, chosen.get("shapes", {})))
    table = DimTable(axes)
    shapes, past = resolve_shapes(table, axes)
    facts = propagate_facts(model, shapes, table.known)
    items = {value.name: Input(value.name, shapes[value.name], _input_dtype(value)) for value in values}
    inputs = InputRuleChooser(items, facts.evidence, past, chosen)
    rules = {name: inputs.rule(name) for name in items}
    notes = {f"input {name}": note for name, (_, note) in rules.items() if note}
    spec = InputSpec(
        {name: TensorSpec(name, item.shape, item.dtype, rules[name][0]) for name, item in items.items()},
        outputs=tuple(_describe_output(table, facts, value) for value in model.graph.output),
    )
    limits = inputs.limits({name: rule for name, (rule, _) in rules.items()})
    bounded, reasons = bound_dims(spec.dims, limits, facts.evidence.floors)
    spec = spec.with_dims(**bounded)
    notes |= {f"dim {name}": reason for name, reason in reasons.items()}
    return InputSpec(dict(spec), outputs=spec.outputs, provenance={**_origin(model, source), **notes})


def _check_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs; raise `SourceError` unless they hold tensors and have names of their own."""
    values = expand_inputs(find_graph_inputs(graph))
    names = [value.name for value in (*values, *graph.output)]
    if not all(isinstance(name, str) and name for name in names) or len(set(names[: len(values)])) < len(values):
        raise SourceError(
            f"the names of this model's inputs and outputs are not whole and unique: {names}. The model is damaged."
        )
    for value in values:
        kind = value.type.WhichOneof("value")
        if kind != "tensor_type":
            raise SourceError(
                f"input {value.name!r} is of {kind or 'no type'}: only tensors, lists of tensors and optional tensors can be described. "
                "Wrap the model so that it takes tensors."
            )
    return values


def _choose_axes(values: Sequence[onnx.ValueInfoProto], shapes: Mapping[str, Any]) -> dict[str, Axes]:
    """Return the axes of each input: those that the caller gives, else those that the graph declares."""
    names = [value.name for value in values]
    unknown = next((name for name in shapes if name not in names), None)
    if unknown is not None:
        raise OptionError(f"shapes: no input is named {unknown!r}. {suggest_names(unknown, names)}")
    found: dict[str, Axes] = {}
    for value in values:
        axes = tuple(shapes[value.name]) if value.name in shapes else read_axes(value)
        if axes is None:
            raise SourceError(
                f"input {value.name!r} has no shape in the model, not even a number of axes. Give it with the option "
                f"shapes={{{value.name!r}: ('batch_size', 3)}}, or set it in the model."
            )
        found[value.name] = axes
    return found


def _input_dtype(value: onnx.ValueInfoProto) -> DType:
    number = value.type.tensor_type.elem_type
    dtype = find_dtype(number)
    if dtype is None:
        raise SourceError(
            f"input {value.name!r} has element type {number}, which onnx {onnx.__version__} does not have. Upgrade onnx."
        )
    return dtype


def _describe_output(table: DimTable, facts: ValueFacts, value: onnx.ValueInfoProto) -> OutputSpec:
    if value.type.WhichOneof("value") != "tensor_type":
        return OutputSpec(value.name)
    axes = None if value.name in facts.reshaped else read_axes(value)
    found = facts.shapes.get(value.name) or ()
    shape = None if axes is None else table.output(value.name, axes, found)
    return OutputSpec(value.name, shape, find_dtype(value.type.tensor_type.elem_type))


def _origin(model: onnx.ModelProto, source: object) -> dict[str, str]:
    return {
        "source": os.fspath(source) if isinstance(source, (str, os.PathLike)) else "an onnx.ModelProto",
        "producer": f"{model.producer_name} {model.producer_version}".strip() or "not declared",
        "ir_version": str(model.ir_version),
        "opset": format_opsets(model),
    }
