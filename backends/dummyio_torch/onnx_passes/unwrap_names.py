"""Names in an exported graph as the model has them, without the module that the export wraps around it.

PyTorch writes for each node the parts of the model that it belongs to: ``namespace`` and ``pkg.torch.onnx.name_scopes`` in its
metadata. Its notes on the trace, which name files of the machine, are removed.
"""

import ast

import onnx_ir as ir

_PREFIX = "model."
_NAMES = "pkg.torch.onnx.name_scopes"
_CLASSES = "pkg.torch.onnx.class_hierarchy"
_DROPPED = ("pkg.torch.onnx.stack_trace", "pkg.torch.onnx.fx_node")


def remove_wrapper_names(model: ir.Model, *_: object) -> None:
    """Remove the wrapper from the names of the weights and from the scopes of the nodes."""
    _unwrap_weights(model.graph)
    for part in (model.graph, *(function.graph for function in model.functions.values())):
        for node in part.all_nodes():
            props = node.metadata_props
            kept = {key: _unwrap_scope(key, value) for key, value in props.items() if key not in _DROPPED}
            props.clear()
            props.update(kept)


def _unwrap_weights(graph: ir.Graph) -> None:
    names = {weight: str(weight.name).removeprefix(_PREFIX) for weight in graph.initializers.values()}
    taken = {value.name for value in (*graph.inputs, *(output for node in graph for output in node.outputs))}
    if len(set(names.values())) < len(names) or not taken.isdisjoint(names.values()):
        return  # without the wrapper, two values would have one name
    graph.initializers.clear()  # so that a weight can get the name that another one is about to lose
    for weight, name in names.items():
        weight.name = name
        graph.initializers.add(weight)


def _unwrap_scope(key: str, value: str) -> str:
    if key == "namespace":
        return "/".join(_unwrap_part(part) for part in value.split("/")[1:])
    if key in {_NAMES, _CLASSES}:
        try:
            parts: list[str] = ast.literal_eval(value)[1:]
        except (SyntaxError, ValueError):
            return value
        return repr([_unwrap_part(part) for part in parts] if key == _NAMES else parts)
    return value


def _unwrap_part(part: str) -> str:
    """Return ``layers.0: Layer`` for ``model.layers.0: Layer``, and ``: Model`` for ``model: Model``."""
    if part == "model" or part.startswith("model:"):
        return part.removeprefix("model")
    return part.removeprefix(_PREFIX)
