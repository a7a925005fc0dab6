"""Names in an exported graph as the model has them, without the module that was wrapped around it for the export.

PyTorch writes for each node which parts of the model it is of: ``namespace`` and ``pkg.torch.onnx.name_scopes`` among its
metadata. Its own notes on the trace, which name files of the machine, are left out.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

import onnx

__all__ = ["remove_wrapper_names"]

_PREFIX = "model."
_NAMES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_DROPPED = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")


def remove_wrapper_names(model: onnx.ModelProto) -> None:
    """Take the wrapper out of the names of weights and of the nodes' scopes."""
    renames = _weight_names(model.graph)
    for tensor in model.graph.initializer:
        tensor.name = renames.get(tensor.name, tensor.name)
    for value in model.graph.value_info:
        value.name = renames.get(value.name, value.name)
    for node in (*_nodes(model.graph.node), *(node for function in model.functions for node in _nodes(function.node))):
        for place, name in enumerate(node.input):
            if name in renames:
                node.input[place] = renames[name]
        _unwrap_scopes(node)


def _weight_names(graph: onnx.GraphProto) -> dict[str, str]:
    taken = {tensor.name for tensor in graph.initializer} | {value.name for value in (*graph.input, *graph.output)}
    taken |= {name for node in graph.node for name in node.output}
    wrapped = [tensor.name for tensor in graph.initializer if tensor.name.startswith(_PREFIX)]
    plain = {name: name.removeprefix(_PREFIX) for name in wrapped}
    kept = taken - set(wrapped)
    return plain if not kept & set(plain.values()) else {}


def _nodes(nodes: object) -> Iterator[onnx.NodeProto]:
    for node in nodes:  # type: ignore[attr-defined]
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                yield from _nodes(graph.node)


def _unwrap_scopes(node: onnx.NodeProto) -> None:
    kept = [prop for prop in node.metadata_props if prop.key not in _DROPPED]
    pairs = [(prop.key, _unwrapped(prop.key, prop.value)) for prop in kept]
    del node.metadata_props[:]
    for key, value in pairs:
        node.metadata_props.add(key=key, value=value)


def _unwrapped(key: str, value: str) -> str:
    if key == "namespace":
        return "/".join(_plain(part) for part in value.split("/")[1:])
    if key in {_NAMES, _CLASSES}:
        try:
            parts: list[str] = ast.literal_eval(value)[1:]
        except (SyntaxError, ValueError):
            return value
        return repr([_plain(part) for part in parts] if key == _NAMES else parts)
    return value


def _plain(part: str) -> str:
    """``model.layers.0: Layer`` → ``layers.0: Layer``, ``model: Model`` → ``: Model``."""
    if part == "model" or part.startswith("model:"):
        return part.removeprefix("model")
    return part.removeprefix(_PREFIX)
