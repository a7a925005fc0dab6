"""Random changes of an ONNX graph, one at a time: a node dropped or replaced, a constant, an axis, an input, a branch, an output."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

Mutation = Callable[[onnx.ModelProto, random.Random], str | None]
"""Changes a model, and returns what it changed; None if the graph has no place for it."""

_OTHER = {
    "Add": "Sub",
    "Sub": "Add",
    "Mul": "Div",
    "Div": "Mul",
    "Relu": "Tanh",
    "LeakyRelu": "Relu",
    "Elu": "Relu",
    "Selu": "Relu",
    "Softplus": "Relu",
    "Sigmoid": "Tanh",
    "Tanh": "Sigmoid",
    "Erf": "Tanh",
    "Softmax": "LogSoftmax",
    "LogSoftmax": "Softmax",
    "ReduceMean": "ReduceSum",
    "ReduceSum": "ReduceMean",
    "ReduceMax": "ReduceMin",
    "Max": "Min",
    "Min": "Max",
    "And": "Or",
    "Or": "And",
    "Less": "Greater",
    "Greater": "Less",
    "ArgMax": "ArgMin",
    "Floor": "Ceil",
    "Sqrt": "Abs",
    "Sin": "Cos",
    "Cos": "Sin",
    "Exp": "Softplus",
    "Neg": "Abs",
    "Abs": "Neg",
    "MaxPool": "AveragePool",
}
_ORDERED = ("Sub", "Div", "Pow", "MatMul", "Gemm", "Where", "Concat", "Less", "Greater", "Mod", "Expand")
_AXES = ("axis", "keepdims", "group", "transA", "transB", "to")
_NUMBERS = ("alpha", "beta", "epsilon", "bias", "gamma", "lambd", "size")
_LISTS = ("axes", "perm", "pads", "strides", "dilations")


def drop_node(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Let a node hand its first input on."""
    node = _choose(
        draw, (node for node in model.graph.node if node.input and node.op_type not in ("Constant", "Identity"))
    )
    return None if node is None else _become_identity(node, node.input[0])


def replace_operator(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Put a similar operator in the place of another."""
    node = _choose(draw, (node for node in model.graph.node if node.op_type in _OTHER))
    if node is None:
        return None
    before, node.op_type = node.op_type, _OTHER[node.op_type]
    schema = onnx.defs.get_schema(node.op_type)
    kept = [each for each in node.attribute if each.name in schema.attributes]
    del node.attribute[:]
    node.attribute.extend(kept)
    return f"{before} is {node.op_type}"


def swap_inputs(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Swap two inputs of an operator in which their order matters."""
    node = _choose(draw, (node for node in model.graph.node if node.op_type in _ORDERED and len(set(node.input)) > 1))
    if node is None:
        return None
    node.input[0], node.input[1] = node.input[1], node.input[0]
    return f"inputs of {node.op_type} are swapped"


def change_constant(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Change one constant: real numbers by a twentieth, to zero or to their negative; whole ones by one."""
    held = [tensor for tensor in model.graph.initializer if 0 not in tensor.dims]
    held += [
        each.t
        for node in model.graph.node
        if node.op_type == "Constant"
        for each in node.attribute
        if each.name == "value"
    ]
    tensor = _choose(draw, held)
    if tensor is None:
        return None
    values = numpy_helper.to_array(tensor).copy()
    if values.dtype.kind == "f":
        factor = draw.choice([1.05, 0.0, -1.0])
        changed, what = (values * factor).astype(values.dtype), f"times {factor}"
    elif values.dtype.kind in "iu":
        step = draw.choice([-1, 1])
        changed, what = (values + step).astype(values.dtype), f"plus {step}"
    elif values.dtype.kind == "b":
        changed, what = ~values, "is its opposite"
    else:
        return None
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    return f"a constant of shape {list(values.shape)} {what}"


def change_attribute(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Change an axis, a number or a list of numbers of a node."""
    found = [
        (node, each)
        for node in model.graph.node
        for each in node.attribute
        if each.name in (*_AXES, *_NUMBERS, *_LISTS)
    ]
    chosen = _choose(draw, found)
    if chosen is None:
        return None
    node, held = chosen
    if held.type == onnx.AttributeProto.INT:
        held.i = 1 - held.i if held.i in (0, 1) else held.i + draw.choice([-1, 1])
    elif held.type == onnx.AttributeProto.FLOAT:
        held.f = held.f * 2 + 0.1
    elif held.type == onnx.AttributeProto.INTS and held.name == "perm":
        order = list(held.ints)
        held.ints[:] = order[1:] + order[:1]
    elif held.type == onnx.AttributeProto.INTS and held.ints:
        place = draw.randrange(len(held.ints))
        held.ints[place] += 1
    return f"{held.name} of {node.op_type}"


def replace_input(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Let a node read another tensor that is known before it."""
    nodes = list(model.graph.node)
    constants = {tensor.name for tensor in model.graph.initializer}
    places = [
        (number, place)
        for number, node in enumerate(nodes)
        for place, name in enumerate(node.input)
        if name and name not in constants
    ]
    draw.shuffle(places)
    for number, place in places:
        known = [value.name for value in model.graph.input] + [name for node in nodes[:number] for name in node.output]
        others = [name for name in known if name and name != nodes[number].input[place] and name not in constants]
        if others:
            before, nodes[number].input[place] = nodes[number].input[place], draw.choice(others)
            return f"{nodes[number].op_type} reads {nodes[number].input[place]} instead of {before}"
    return None


def freeze_branch(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Put zeros in the place of a tensor of real numbers that is computed."""
    node = _choose(
        draw,
        (
            node
            for node in model.graph.node
            if node.op_type in ("Add", "MatMul", "Gemm", "Conv", "Concat", "Mul") and node.output
        ),
    )
    if node is None:
        return None
    raw, name = f"{node.output[0]}_raw", node.output[0]
    node.output[0] = raw
    place = list(model.graph.node).index(node)
    model.graph.node.insert(place + 1, helper.make_node("Sub", [raw, raw], [name]))
    return f"the result of {node.op_type} is zero"


def swap_outputs(model: onnx.ModelProto, draw: random.Random) -> str | None:
    """Swap the results of two outputs."""
    if len(model.graph.output) < 2:
        return None
    one, other = draw.sample([value.name for value in model.graph.output], 2)
    new = {one: other, other: one}
    for node in model.graph.node:
        node.output[:] = [new.get(name, name) for name in node.output]
        node.input[:] = [new.get(name, name) for name in node.input]
    return f"{one} and {other} are swapped"


MUTATIONS: tuple[Mutation, ...] = (
    drop_node,
    replace_operator,
    swap_inputs,
    change_constant,
    change_attribute,
    replace_input,
    freeze_branch,
    swap_outputs,
)


def make_mutants(model: onnx.ModelProto, count: int, seed: int) -> Iterator[tuple[str, onnx.ModelProto]]:
    """Yield at most so many models with one change each, all different, with what was changed."""
    draw, seen = random.Random(seed), {model.SerializeToString(deterministic=True)}
    for turn in range(8 * count):
        if len(seen) > count:
            return
        mutant = onnx.ModelProto.FromString(model.SerializeToString())
        said = MUTATIONS[turn % len(MUTATIONS)](mutant, draw)
        form = mutant.SerializeToString(deterministic=True)
        if said is not None and form not in seen:
            seen.add(form)
            yield said, mutant


def _become_identity(node: onnx.NodeProto, name: str) -> str:
    said = f"{node.op_type} is left out"
    node.op_type, node.domain = "Identity", ""
    del node.attribute[:], node.input[:], node.output[1:]
    node.input.append(name)
    return said


def _choose(draw: random.Random, items: Iterable[Any]) -> Any:
    found = list(items)
    return draw.choice(found) if found else None


def is_equal(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two results are the same numbers."""
    return first.shape == second.shape and np.array_equal(first, second, equal_nan=first.dtype.kind in "fc")
