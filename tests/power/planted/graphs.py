"""Edits of ONNX graphs, in words that a defect can be read in."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

_NUMBERS = count()

Step = tuple[Any, ...]
"""An operator, its further inputs as arrays, and its attributes as a dict at the end, where it has any."""


def after(model: onnx.ModelProto, tensor: str, *steps: Step) -> None:
    """Let all that use an input, or that look at an output, see it after these operators."""
    graph = model.graph
    start = next((place for place, node in enumerate(graph.node) if tensor in node.output), None)
    if start is None:  # an input
        users = [node for node in graph.node if tensor in node.input]
        nodes, last = _nodes(model, tensor, steps)
        for node in users:
            _swap(node.input, tensor, last)
        place = 0
    else:
        raw = _fresh(tensor)
        _swap(graph.node[start].output, tensor, raw)
        nodes, last = _nodes(model, raw, steps)
        _swap(nodes[-1].output, last, tensor)
        place = start + 1
    for number, node in enumerate(nodes):
        graph.node.insert(place + number, node)


def rename(model: onnx.ModelProto, **names: str) -> None:
    """Rename inputs and outputs, all at once: two can swap their names."""
    for graph in (model.graph,):
        for value in (*graph.input, *graph.output):
            value.name = names.get(value.name, value.name)
        for node in graph.node:
            for place, name in enumerate(node.input):
                node.input[place] = names.get(name, name)
            for place, name in enumerate(node.output):
                node.output[place] = names.get(name, name)


def swap(model: onnx.ModelProto, one: str, other: str) -> None:
    """Let two inputs, or two outputs, swap their names."""
    rename(model, **{one: other, other: one})


def reorder(model: onnx.ModelProto, like: Sequence[str]) -> None:
    """Put inputs and outputs into the order of these names, so that only what they mean has changed."""
    for values in (model.graph.input, model.graph.output):
        kept = sorted(values, key=lambda value: list(like).index(value.name))
        copies = [onnx.ValueInfoProto.FromString(value.SerializeToString()) for value in kept]
        del values[:]
        values.extend(copies)


def value(model: onnx.ModelProto, name: str) -> onnx.ValueInfoProto:
    """Return an input or an output by its name."""
    return next(item for item in (*model.graph.input, *model.graph.output) if item.name == name)


def declare(model: onnx.ModelProto, name: str, axis: int, symbol: str) -> None:
    """Say that an axis of an input or an output has the size `symbol`."""
    value(model, name).type.tensor_type.shape.dim[axis].dim_param = symbol


def declare_free(model: onnx.ModelProto, sizes: dict[int, str]) -> None:
    """Say of every input and output that axes of these constant sizes are free."""
    for item in (*model.graph.input, *model.graph.output):
        for dim in item.type.tensor_type.shape.dim:
            if dim.dim_value in sizes:
                dim.dim_param = sizes[dim.dim_value]
    del model.graph.value_info[:]


def nodes_of(model: onnx.ModelProto, operator: str) -> list[onnx.NodeProto]:
    """Return the nodes with that operator."""
    return [node for node in model.graph.node if node.op_type == operator]


def set_attribute(node: onnx.NodeProto, name: str, value: Any) -> None:
    """Set an attribute of a node."""
    kept = [item for item in node.attribute if item.name != name]
    del node.attribute[:]
    node.attribute.extend([*kept, helper.make_attribute(name, value)])


def _nodes(model: onnx.ModelProto, tensor: str, steps: Sequence[Step]) -> tuple[list[onnx.NodeProto], str]:
    nodes = []
    for step in steps:
        operator, *rest = step
        attributes = rest.pop() if rest and isinstance(rest[-1], dict) else {}
        inputs = [tensor, *(_constant(model, values) for values in rest)]
        tensor = _fresh(operator)
        nodes.append(helper.make_node(operator, inputs, [tensor], **attributes))
    return nodes, tensor


def _constant(model: onnx.ModelProto, values: Any) -> str:
    if isinstance(values, str):  # another tensor of the graph
        return values
    name = _fresh("constant")
    model.graph.initializer.append(numpy_helper.from_array(np.asarray(values), name))
    return name


def _fresh(stem: str) -> str:
    return f"{stem}/planted_{next(_NUMBERS)}"


def _swap(names: Any, old: str, new: str) -> None:
    for place, name in enumerate(names):
        if name == old:
            names[place] = new
