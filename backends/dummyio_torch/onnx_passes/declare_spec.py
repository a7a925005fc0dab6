"""Make an exported ONNX graph declare what the spec declares, or raise: names, order and sizes of inputs and outputs.

Exporters drop inputs that the graph does not use, rename outputs, forget the names of dims, specialize sizes and take two
dims for one, without an error.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

import onnx_ir as ir

from dummyio.errors import DimError, DTypeError, ExportError
from dummyio.input_spec import InputSpec
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Size, evaluate_size, find_dims, is_static
from dummyio.spec.tensor_spec import TensorSpec

_IDENTIFIER = re.compile(r"[A-Za-z_]\w*")


def declare_spec(model: ir.Model, spec: InputSpec, outputs: Sequence[str]) -> tuple[str, ...]:
    """Change a graph so that it declares the inputs of the spec, and these outputs; return notes on inputs that it lacked.

    Raises
    ------
    ExportError
        if the graph cannot be what the spec declares: it has inputs or outputs of its own, a dim has become a constant, or two
        dims have become one.
    DTypeError
        if ONNX has no element type for an input.
    """
    graph = model.graph
    notes = _restore_inputs(graph, spec)
    _rename_dims(graph, _match_dims(graph, spec))
    for value, (_, leaf) in zip(graph.inputs, spec.leaves, strict=True):
        value.shape = _declared_shape(leaf.shape)
    _restore_outputs(graph, outputs)
    _declare_output_sizes(graph, spec)
    return notes


def _restore_inputs(graph: ir.Graph, spec: InputSpec) -> tuple[str, ...]:
    """Put the inputs into the order of the spec, and add those that the exporter dropped because nothing uses them."""
    found = {str(value.name): value for value in graph.inputs if value.name not in graph.initializers}
    leaves = dict(spec.leaves)
    unknown = [name for name in found if name not in leaves]
    if unknown:
        raise ExportError(
            f"the graph has the inputs {', '.join(unknown)}, which the spec does not have ({', '.join(leaves)}): the exporter "
            "made inputs of its own. Use the other exporter."
        )
    dropped = [path for path in leaves if path not in found]
    values = [found.get(path) or _declared_value(path, leaf) for path, leaf in leaves.items()]
    for value, leaf in zip(values, leaves.values(), strict=True):
        _check_input(value, leaf)
    graph.inputs[:] = values
    return (f"the graph does not use {', '.join(dropped)}: declared all the same, as in the spec",) if dropped else ()


def _declared_value(path: str, leaf: TensorSpec) -> ir.Value:
    return ir.val(path, _element_type(leaf), _declared_shape(leaf.shape))


def _declared_shape(sizes: Iterable[Size]) -> ir.Shape:
    return ir.Shape([evaluate_size(size) if is_static(size) else str(size) for size in sizes])


def _element_type(leaf: TensorSpec) -> ir.DataType:
    try:
        return ir.DataType.from_numpy(leaf.dtype.numpy)
    except TypeError as error:
        raise DTypeError(f"input {leaf.name!r}: ONNX has no element type for {leaf.dtype.value}.") from error


def _check_input(value: ir.Value, leaf: TensorSpec) -> None:
    axes = 0 if value.shape is None else len(value.shape)
    if value.dtype != _element_type(leaf) or axes != leaf.rank:
        raise ExportError(
            f"input {value.name!r} is {value.dtype} with {axes} axes in the graph, and {leaf.dtype.value} with {leaf.rank} "
            "in the spec: the exporter does not support such an input. Describe the model with a dtype that it supports."
        )


def _match_dims(graph: ir.Graph, spec: InputSpec) -> dict[str, str]:
    """Return symbol of the graph → size in the spec; raise `ExportError` for a constant, and for one symbol of two dims."""
    names: dict[str, str] = {}
    for value, (path, leaf) in zip(graph.inputs, spec.leaves, strict=True):
        for axis, (found, size) in enumerate(zip(value.shape or (), leaf.shape, strict=True)):
            if is_static(size):
                continue
            if isinstance(found, int):
                raise _specialized(f"axis {axis} of {path}", size, found)
            other = names.setdefault(found.value, str(size)) if found.value else str(size)
            if not _is_equal(other, size, spec):
                raise ExportError(
                    f"axis {axis} of {path} ({size}) is the same as {other} in the graph: the model accepts them only if they "
                    "are equal. Describe both axes with one dim."
                )
    return names


def _specialized(axis: str, size: Size, constant: int) -> ExportError:
    names = tuple(sorted(dim.name for dim in find_dims(size)))
    return ExportError(
        f"{axis} ({size}) has become the constant {constant} in the graph. Export with it fixed, static={names}, or with another "
        "implementation of the model's parts (attention='eager')."
    )


def _is_equal(text: str, size: Size, spec: InputSpec) -> bool:
    try:
        return bool(parse_size(text, spec.dims) == size)
    except DimError:
        return False


def _rename_dims(graph: ir.Graph, names: Mapping[str, str]) -> None:
    """Replace the symbols of the exporter by the names in the spec, in the shapes of all values."""

    @cache
    def rename(dim: int | ir.SymbolicDim) -> int | str | ir.SymbolicDim:
        return _rename_symbols(dim.value, names) if isinstance(dim, ir.SymbolicDim) and dim.value else dim

    for part in (graph, *graph.subgraphs()):
        for value in (*part.inputs, *(output for node in part for output in node.outputs)):
            if value.shape is not None and value.shape.is_dynamic():
                value.shape = ir.Shape([rename(dim) for dim in value.shape])


def _rename_symbols(expression: str, names: Mapping[str, str]) -> str:
    def swap(match: re.Match[str]) -> str:
        name = names.get(match[0], match[0])
        return name if _IDENTIFIER.fullmatch(name) else f"({name})"

    return names.get(expression) or _IDENTIFIER.sub(swap, expression)


def _restore_outputs(graph: ir.Graph, names: Sequence[str]) -> None:
    if len(graph.outputs) != len(names):
        found = ", ".join(str(value.name) for value in graph.outputs)
        raise ExportError(
            f"the graph returns {found}, and the model {', '.join(names)}: the exporter dropped outputs, or made outputs of its "
            "own. Use the other exporter."
        )
    for place, name in enumerate(names):
        value = graph.outputs[place]
        if value.name != name:  # one tensor under two names, or an input that the model returns
            node = ir.node("Identity", [value], name=f"{name}_identity")
            node.outputs[0].name, node.outputs[0].type, node.outputs[0].shape = name, value.type, value.shape
            graph.append(node)
            graph.outputs[place] = node.outputs[0]


def _declare_output_sizes(graph: ir.Graph, spec: InputSpec) -> None:
    """Declare the sizes of the spec's outputs that the sizes of the inputs decide."""
    inputs = {dim for _, leaf in spec.leaves for size in leaf.shape for dim in find_dims(size)}
    shapes = {output.name: output.shape for output in spec.outputs}
    for value in graph.outputs:
        declared = shapes.get(str(value.name))
        if declared is None or value.shape is None or len(declared) != len(value.shape):
            continue
        sizes = list[int | str | ir.SymbolicDim](value.shape)
        for axis, size in enumerate(declared):
            if is_static(size) or not inputs.issuperset(find_dims(size)):
                continue
            found = sizes[axis]
            if isinstance(found, int):
                raise _specialized(f"axis {axis} of the output {value.name}", size, found)
            sizes[axis] = str(size)
        value.shape = ir.Shape(sizes)
