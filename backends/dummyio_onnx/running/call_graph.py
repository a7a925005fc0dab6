"""How often a model's functions call each other: runtimes inline them, without a limit of depth or number."""

from collections.abc import Mapping
from pathlib import Path

import onnx

from dummyio.errors import SourceError
from dummyio_onnx.external_data import Graph, iterate_graphs_within, shorten

_MAX_DEPTH = 500
"""Calls within calls: ONNX Runtime follows 1,000, and ends the process at 20,000."""

_MAX_GROWTH = 20
_MAX_SMALL = 20_000
"""Nodes that a model may have after inlining; more are accepted if the file has them, up to `_MAX_GROWTH` times."""

_Key = tuple[str, str, str]


def check_calls(model: onnx.ModelProto, path: Path | None) -> None:
    """Raise `SourceError` if functions call themselves, or each other so often that a runtime would not return."""
    functions = {(function.domain, function.name, _overload(function)): function for function in model.functions}
    if not functions:
        return
    where = path or "this ModelProto"
    own, calls = {}, {}
    for key, function in functions.items():
        own[key], calls[key] = _count(function, functions)
    sizes: dict[_Key, tuple[int, int]] = {}
    for first in functions:
        stack = [first]
        open_calls = {first}
        while stack:
            key = stack[-1]
            waiting = next((called for called in calls[key] if called not in sizes), None)
            if waiting is not None:
                if waiting in open_calls:
                    raise SourceError(
                        f"{where}: function {shorten(waiting[1])} calls itself. An ONNX function must not: export the model "
                        "again."
                    )
                stack.append(waiting)
                open_calls.add(waiting)
                continue
            depth = 1 + max((sizes[called][0] for called in calls[key]), default=0)
            total = own[key] + sum(times * sizes[called][1] for called, times in calls[key].items())
            sizes[key] = depth, total
            open_calls.discard(stack.pop())
    nodes, called = _count(model.graph, functions)
    written = nodes + sum(own.values())
    total = nodes + sum(times * sizes[key][1] for key, times in called.items())
    depth = max((size[0] for size in sizes.values()), default=0)
    if depth > _MAX_DEPTH or total > max(_MAX_SMALL, _MAX_GROWTH * written):
        raise SourceError(
            f"{where}: its functions call each other {depth} deep, and make {total:.3g} nodes of the {written} in the model. "
            "A runtime would not return: export it without functions, or inline them first (onnx.inliner)."
        )


def _count(graph: Graph, functions: Mapping[_Key, onnx.FunctionProto]) -> tuple[int, dict[_Key, int]]:
    """Return the number of nodes, those of branches included, and the number of calls of each function."""
    nodes, calls = 0, dict[_Key, int]()
    for inner in iterate_graphs_within(graph):
        nodes += len(inner.node)
        for node in inner.node:
            key = (node.domain, node.op_type, _overload(node))
            if key in functions:
                calls[key] = calls.get(key, 0) + 1
    return nodes, calls


def _overload(proto: onnx.NodeProto | onnx.FunctionProto) -> str:
    return getattr(proto, "overload", "")  # since onnx 1.16
