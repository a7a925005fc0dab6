"""Make an exported ONNX graph say what the spec says, or raise: names, order and sizes of inputs and outputs.

Exporters drop inputs that the graph does not use, rename outputs, forget the names of sizes, and take sizes for constants or
for each other, without an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

import onnx

from dummyio.errors import DimError, DTypeError, ExportError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size, evaluate_size, find_dims, is_static, parse_size
from dummyio.spec.tensor_spec import TensorSpec

__all__ = ["declare_spec"]

_TOKEN = re.compile(r"[A-Za-z_]\w*")
_ELEMENTS = {"float64": "DOUBLE", "float32": "FLOAT"}


def declare_spec(model: onnx.ModelProto, spec: InputSpec, outputs: Sequence[str]) -> tuple[str, ...]:
    """Change `model` so that it declares the inputs of `spec`, and `outputs`; return notes on what was missing.

    Raises
    ------
    ExportError
        where the graph cannot be what the spec says: an input that no spec has, outputs that are others, a size that is a
        constant, two sizes that are one.
    """
    graph = model.graph
    notes = _mend_inputs(graph, spec)
    renames = _renames(graph, spec)
    for value in _values(graph):
        _map_sizes(value, renames)
    for value, (_, leaf) in zip(graph.input, spec.leaves, strict=True):
        _declare(value, leaf.shape)
    _mend_outputs(graph, spec, outputs)
    return notes


# Inputs.


def _mend_inputs(graph: onnx.GraphProto, spec: InputSpec) -> tuple[str, ...]:
    """Put the inputs into the spec's order, with those that the exporter dropped for want of use."""
    weights = {tensor.name for tensor in graph.initializer}
    found = {value.name: value for value in graph.input if value.name not in weights}
    leaves = dict(spec.leaves)
    strange = [name for name in found if name not in leaves]
    if strange:
        raise ExportError(
            f"the graph has the inputs {', '.join(strange)}, which the spec has not ({', '.join(leaves)}): the exporter made "
            "inputs of its own. Use the other exporter."
        )
    lost = [path for path in leaves if path not in found]
    values = [found.get(path) or _value(path, leaf) for path, leaf in leaves.items()]
    for value, leaf in zip(values, leaves.values(), strict=True):
        _check_input(value, leaf)
    copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in values]
    del graph.input[:]
    graph.input.extend(copies)
    return (f"the graph does not use {', '.join(lost)}: declared all the same, as the spec has them",) if lost else ()


def _value(path: str, leaf: TensorSpec) -> onnx.ValueInfoProto:
    shape = [size if isinstance(size, int) else str(size) for size in leaf.shape]
    return onnx.helper.make_tensor_value_info(path, _element(leaf), shape)


def _element(leaf: TensorSpec) -> int:
    name = _ELEMENTS.get(leaf.dtype.value, leaf.dtype.value.replace("float8_", "float8").replace("_", "").upper())
    numbers: Mapping[str, int] = dict(onnx.TensorProto.DataType.items())
    if name not in numbers:
        raise DTypeError(f"input {leaf.name!r}: ONNX has no element type for {leaf.dtype.value}.")
    return numbers[name]


def _check_input(value: onnx.ValueInfoProto, leaf: TensorSpec) -> None:
    kind = value.type.tensor_type
    if kind.elem_type != _element(leaf) or len(kind.shape.dim) != leaf.rank:
        element = onnx.TensorProto.DataType.Name(kind.elem_type)
        raise ExportError(
            f"input {value.name!r} is {element} with {len(kind.shape.dim)} axes in the graph, and {leaf.dtype.value} with "
            f"{leaf.rank} in the spec: the exporter has no such inputs. Describe the model with a dtype that it has."
        )


def _renames(graph: onnx.GraphProto, spec: InputSpec) -> dict[str, str]:
    """Return the graph's symbols and what the spec calls them; raise where they are constants, or one for two."""
    renames: dict[str, str] = {}
    for value, (path, leaf) in zip(graph.input, spec.leaves, strict=True):
        for axis, (dim, size) in enumerate(zip(value.type.tensor_type.shape.dim, leaf.shape, strict=True)):
            if isinstance(size, int) or is_static(size):
                continue
            if dim.HasField("dim_value"):
                raise ExportError(
                    f"axis {axis} of {path} ({size}) has become the constant {dim.dim_value} in the graph. Export with it "
                    f"fixed, static={_names(size)}, or with another implementation of the model's parts "
                    "(attention='eager')."
                )
            other = renames.setdefault(dim.dim_param, str(size)) if dim.dim_param else str(size)
            if not _same(other, size, spec):
                raise ExportError(
                    f"axis {axis} of {path} ({size}) is the same as {other} in the graph: the model takes them equal only. "
                    "Describe it so, with one dim for both."
                )
    return renames


def _same(text: str, size: Size, spec: InputSpec) -> bool:
    try:
        return bool(parse_size(text, spec.dims) == size)
    except DimError:
        return False


def _declare(value: onnx.ValueInfoProto, shape: Sequence[Size]) -> None:
    for dim, size in zip(value.type.tensor_type.shape.dim, shape, strict=True):
        _set(dim, size)


def _set(dim: onnx.TensorShapeProto.Dimension, size: Size) -> None:
    if isinstance(size, int):
        dim.dim_value = size
    elif is_static(size):
        dim.dim_value = evaluate_size(size)
    else:
        dim.dim_param = str(size)


# Outputs.


def _mend_outputs(graph: onnx.GraphProto, spec: InputSpec, outputs: Sequence[str]) -> None:
    if len(graph.output) != len(outputs):
        found = ", ".join(value.name for value in graph.output)
        raise ExportError(
            f"the graph returns {found}, and the model {', '.join(outputs)}: the exporter dropped outputs, or has some of its "
            "own. Use the other exporter."
        )
    for value, name in zip(graph.output, outputs, strict=True):
        if value.name != name:  # of two outputs that are one tensor, and of an input handed back
            graph.node.add(op_type="Identity", input=[value.name], output=[name], name=f"{name}_identity")
            value.name = name
    inputs = {dim for _, leaf in spec.leaves for size in leaf.shape for dim in find_dims(size)}
    shapes = {output.name: output.shape for output in spec.outputs}
    for value in graph.output:
        declared = shapes.get(value.name)
        dims = value.type.tensor_type.shape.dim
        if declared is None or len(declared) != len(dims):
            continue
        for axis, (dim, size) in enumerate(zip(dims, declared, strict=True)):
            own = set(find_dims(size))
            if not own or not own <= inputs or is_static(size):
                continue
            if dim.HasField("dim_value"):
                raise ExportError(
                    f"axis {axis} of the output {value.name} ({size}) has become the constant {dim.dim_value} in the graph. "
                    f"Export with it fixed, static={_names(size)}, or with another implementation of the "
                    "model's parts (attention='eager')."
                )
            dim.dim_param = str(size)


def _names(size: Size) -> tuple[str, ...]:
    return tuple(sorted(dim.name for dim in find_dims(size)))


# Sizes everywhere.


def _values(graph: onnx.GraphProto) -> Iterator[onnx.ValueInfoProto]:
    for part in _graphs(graph):
        yield from (*part.input, *part.output, *part.value_info)


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                if inner.node:
                    yield from _graphs(inner)


def _map_sizes(value: onnx.ValueInfoProto, renames: Mapping[str, str]) -> None:
    for dim in value.type.tensor_type.shape.dim:
        if dim.dim_param:
            dim.dim_param = _renamed(str(dim.dim_param), renames)


def _renamed(text: str, renames: Mapping[str, str]) -> str:
    """Return an expression with the spec's names for its symbols."""
    if text in renames:
        return renames[text]

    def swap(match: re.Match[str]) -> str:
        new = renames.get(match[0], match[0])
        return new if _TOKEN.fullmatch(new) else f"({new})"

    return _TOKEN.sub(swap, text)
