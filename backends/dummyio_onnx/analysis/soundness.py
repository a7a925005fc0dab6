"""What makes a graph no model: results that need themselves, or that two nodes make, weights that no memory holds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod

import onnx

from dummyio.errors import SourceError
from dummyio_onnx.external_data import Graph, iterate_graphs_within, shorten

_MOST_ELEMENTS = 1 << 48
"""Elements that no machine addresses."""
_MOST_CONTENTS = 1 << 16
"""Elements of computed sizes that an inference of shapes may handle."""


def check_graph(model: onnx.ModelProto) -> None:
    """Raise `SourceError` if a model cannot be run by anything, whatever its inputs.

    Names that nothing makes are left to the runtime: the part of a graph that is there can be described.
    """
    graphs = list(iterate_graphs_within(model.graph, *model.functions))
    free: dict[int, set[str]] = {}
    for graph in reversed(
        graphs
    ):  # bodies before the graphs that they are in; the list keeps each message at its place
        if isinstance(graph, onnx.GraphProto):
            _check_weights(graph)
        needs = [_list_needs(node, free) for node in graph.node]
        _check_order(graph, needs)
        free[id(graph)] = _find_free(graph, needs)


def _check_weights(graph: onnx.GraphProto) -> None:
    tensors = (*graph.initializer, *(part.values for part in graph.sparse_initializer))
    for tensor in tensors:
        if any(size < 0 for size in tensor.dims) or prod(tensor.dims) > _MOST_ELEMENTS:
            raise SourceError(
                f"the weight {shorten(tensor.name)} is declared as {list(tensor.dims)[:8]}: no memory holds it. The model is damaged."
            )


def _find_makers(graph: Graph) -> dict[str, int]:
    """Return value → the place of its node; raise `SourceError` if two nodes make one."""
    made: dict[str, int] = {}
    for place, node in enumerate(graph.node):
        for name in map(str, node.output):
            if name and name in made:
                raise SourceError(f"two nodes make {shorten(name)}. The model is damaged: export it again.")
            made[name] = place
    return made


def _check_order(graph: Graph, names: Sequence[set[str]]) -> None:
    """Raise `SourceError` if a node needs its own result; nodes may stand in any order."""
    made = _find_makers(graph)
    needs = [{made[name] for name in each if name and name in made} for each in names]
    if all(max(places, default=-1) < place for place, places in enumerate(needs)):
        return  # in order, as almost always
    waiting = [len(places) for places in needs]
    followers: list[list[int]] = [[] for _ in needs]
    for place, places in enumerate(needs):
        for before in places:
            followers[before].append(place)
    ready = [place for place, count in enumerate(waiting) if not count]
    done = 0
    while ready:
        done += 1
        for place in followers[ready.pop()]:
            waiting[place] -= 1
            if not waiting[place]:
                ready.append(place)
    if done < len(needs):
        node = graph.node[next(place for place, count in enumerate(waiting) if count)]
        raise SourceError(
            f"the graph has a circle: {shorten(node.name or node.op_type)} needs a result that needs its own. The model is damaged: "
            "export it again."
        )


def _list_needs(node: onnx.NodeProto, free: Mapping[int, set[str]]) -> set[str]:
    """Return the names that a node reads, those that its bodies take from outside too."""
    own = set(map(str, node.input))
    return own.union(*(free.get(id(body), ()) for body in _list_bodies(node))) if node.attribute else own


def _find_free(graph: Graph, needs: Iterable[set[str]]) -> set[str]:
    """Return the names that a body takes from outside."""
    if not isinstance(graph, onnx.GraphProto):
        return set()
    own = {name for node in graph.node for name in map(str, node.output)}
    own |= {f"{value.name}" for value in (*graph.input, *graph.initializer)}
    return {f"{value.name}" for value in graph.output}.union(*needs) - own


def _list_bodies(node: onnx.NodeProto) -> Iterator[onnx.GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs


def has_small_contents(model: onnx.ModelProto) -> bool:
    """Return whether sizes that are computed stay few: joined to themselves 60 times, they would fill any memory."""
    counts: dict[str, int] = {}
    graph: Iterable[onnx.NodeProto] = (
        node for each in iterate_graphs_within(model.graph, *model.functions) for node in each.node
    )
    for node in graph:
        known = [counts.get(name, 1) for name in node.input]
        total = sum(known) if node.op_type == "Concat" else max(known, default=1)
        if total > _MOST_CONTENTS:
            return False
        counts |= dict.fromkeys(node.output, total)
    return True
