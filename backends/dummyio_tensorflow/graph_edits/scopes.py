"""The nodes of a ``GraphDef``: those of the graph itself, and those of the functions in its library."""

from collections.abc import Iterator
from typing import Any


def iterate_scopes(definition: Any) -> Iterator[tuple[Any, str]]:
    """Yield the nodes of the graph and of each function, with how a node there refers to a result: a format of a node and its output."""
    yield definition.node, "{}"
    for function in definition.library.function:
        yield function.node_def, "{}:{}:0"


def iterate_nodes(definition: Any) -> Iterator[Any]:
    """Yield all nodes of a graph and of its functions."""
    for nodes, _ in iterate_scopes(definition):
        yield from nodes
