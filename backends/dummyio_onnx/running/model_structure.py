"""What a model may not have, because opening it would not return: endless calls of functions, counts that nothing limits.

Runtimes inline functions, without a limit of depth or number.
"""

from collections.abc import Mapping
from pathlib import Path

import onnx

from dummyio.errors import SourceError
from dummyio_onnx.external_data import Graph, iterate_graphs, iterate_graphs_within, shorten

_MAX_DEPTH = 500
"""Calls within calls: ONNX Runtime follows 1,000, and ends the process at 20,000."""

_MAX_GROWTH = 20
_MAX_SMALL = 20_000
"""Nodes that a model may have after inlining; more are accepted if the file has them, up to `_MAX_GROWTH` times."""

_MAX_COUNTED = 1 << 62

_Key = tuple[str, str, str]


def check_structure(model: onnx.ModelProto, path: Path | None) -> None:
    """Raise `SourceError` if a runtime or an evaluator would not return from opening the model."""
    where = "this ModelProto" if path is None else str(path)
    _check_counts(model, where)
    _check_calls(model, where)


def _check_counts(model: onnx.ModelProto, where: str) -> None:
    """Raise `SourceError` if a scan has more inputs to scan than inputs: the evaluator makes a name for each."""
    for graph in iterate_graphs(model):
        for node in graph.node:
            if node.op_type != "Scan":
                continue
            counts = [part.i for part in node.attribute if part.name == "num_scan_inputs"]
            if any(not 0 < count <= len(node.input) for count in counts):
                raise SourceError(
                    f"{where}: {shorten(node.name)} scans {counts[0]} inputs and has {len(node.input)}. The model is "
                    "damaged: export it again."
                )


def _check_calls(model: onnx.ModelProto, where: str) -> None:
    """Raise `SourceError` if functions call themselves, or each other too often."""
    functions = {(function.domain, function.name, _overload(function)): function for function in model.functions}
    if not functions:
        return
    own, calls = {}, {}
    for key, function in functions.items():
        own[key], calls[key] = _count(function, functions)
    sizes: dict[_Key, tuple[int, int]] = {}
    for first in functions:
        stack = [] if first in sizes else [(first, iter(calls[first]))]
        open_calls = {first}
        while stack:
            key, waiting = stack[-1]
            inner = next((called for called in waiting if called not in sizes), None)
            if inner is None:
                depth = 1 + max((sizes[called][0] for called in calls[key]), default=0)
                total = own[key] + sum(times * sizes[called][1] for called, times in calls[key].items())
                sizes[key] = depth, min(total, _MAX_COUNTED)
                open_calls.discard(stack.pop()[0])
            elif inner in open_calls:
                raise SourceError(
                    f"{where}: function {shorten(inner[1])} calls itself. An ONNX function must not: export the model again."
                )
            else:
                stack.append((inner, iter(calls[inner])))
                open_calls.add(inner)
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
