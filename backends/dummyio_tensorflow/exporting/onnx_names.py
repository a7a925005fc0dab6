"""A converted ONNX model with the spec's names: of inputs and outputs, in order, and of their sizes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Size, evaluate_size, is_static

__all__ = ["give_names"]


def give_names(model: Any, spec: InputSpec, names: Mapping[str, str], outputs: Sequence[str]) -> None:
    """Rename a model's inputs to the spec's paths, put both sides in the spec's order, and name the free sizes.

    Parameters
    ----------
    model
        An ``onnx.ModelProto``; it is changed.
    spec
        What the sizes are called.
    names
        Path → the name that the input has in the model.
    outputs
        The outputs in their order, by the names that they have in the model.
    """
    inner = {value: key for key, value in names.items() if value != key}
    _rename(model.graph, _without_clashes(model.graph, inner))
    _reorder(model.graph.input, list(names))
    _reorder(model.graph.output, outputs)
    for value in model.graph.input:
        _name_axes(value, dict(spec.leaves)[value.name].shape)
    known = {output.name: output.shape for output in spec.outputs if output.shape is not None}
    for value in model.graph.output:
        _name_axes(value, known.get(value.name), f"{value.name}_dim")


def _without_clashes(graph: Any, names: Mapping[str, str]) -> dict[str, str]:
    """Return the renaming, with other names for inner values that have an input's new name already."""
    taken = {name for node in graph.node for name in node.output} | {tensor.name for tensor in graph.initializer}
    moved = {name: f"{name}__inner" for name in names.values() if name in taken and name not in names}
    return {**moved, **names}


def _rename(graph: Any, names: Mapping[str, str]) -> None:
    for values in (graph.input, graph.output, graph.value_info, graph.initializer):
        for value in values:
            value.name = names.get(value.name, value.name)
    for node in graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
        for inner in _graphs(node):
            _rename(inner, names)


def _graphs(node: Any) -> Iterable[Any]:
    """Yield the bodies of loops and branches, which see the values around them by name."""
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def _reorder(values: Any, order: Sequence[str]) -> None:
    by_name = {value.name: value for value in values}
    kept = [by_name[name] for name in order]
    copies = [type(value).FromString(value.SerializeToString()) for value in kept]
    del values[:]
    values.extend(copies)


def _name_axes(value: Any, shape: Sequence[Size] | None, otherwise: str = "dim") -> None:
    dims = value.type.tensor_type.shape.dim
    if shape is not None and len(shape) != len(dims):
        shape = None
    for axis, dim in enumerate(dims):
        size = shape[axis] if shape is not None else None
        if size is not None and is_static(size):
            dim.dim_value = evaluate_size(size)
        elif size is not None:
            dim.dim_param = str(size)
        elif not dim.HasField("dim_value"):
            dim.dim_param = f"{otherwise}_{axis}"
