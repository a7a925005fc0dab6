"""What a call of a model writes into its variables: found, and left out of a frozen graph if no result depends on it."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.errors import ExportError
from dummyio_tensorflow.graph_edits.scopes import iterate_nodes

_WRITE = re.compile(r"Assign\w*VariableOp|ResourceScatter\w+")


def find_writes(graph: Any) -> list[str]:
    """Return the names of the operations of a graph that write variables."""
    return sorted({node.name for node in iterate_nodes(graph.as_graph_def()) if _WRITE.fullmatch(node.op)})


def leave_out_writes(definition: Any, outputs: Iterable[str]) -> list[str]:
    """Remove the operations of a graph that write variables which no result depends on, and return their names.

    Parameters
    ----------
    definition
        A ``GraphDef``, without calls of functions but in loops and branches; it is changed.
    outputs
        The names of the nodes that are its results.

    Raises
    ------
    ExportError
        if a result depends on what is written, or may: as a constant the variable would keep its present value.
    """
    nodes = {node.name: node for node in definition.node}
    written = [node.name for node in definition.node if _WRITE.fullmatch(node.op)]
    hidden = [node.name for each in definition.library.function for node in each.node_def if _WRITE.fullmatch(node.op)]
    if not written and not hidden:
        return []
    variables = {_find_variable(nodes, name) for name in written}
    needed = _find_sources(nodes, outputs)
    if hidden or variables & needed:
        raise ExportError(
            f"the model changes its own state when it is called ({', '.join([*written, *hidden][:5])}), and its results depend on it, which "
            "cannot be frozen: make the state an input and an output."
        )
    # What only they are for (a read of the variable that nothing uses) goes with them; constants and inputs stay.
    gone = {name for name in nodes if name not in needed and variables & _find_sources(nodes, [name])} - variables
    kept = [node for node in definition.node if node.name not in gone]
    for node in kept:
        left = [name for name in node.input if name.removeprefix("^") not in gone]
        del node.input[:]
        node.input.extend(left)
    del definition.node[:]
    definition.node.extend(kept)
    return written


def _find_variable(nodes: Mapping[str, Any], name: str) -> str:
    """Return the node of the variable that an operation writes."""
    node = nodes[nodes[name].input[0].partition(":")[0]]
    while node.op == "Identity":
        node = nodes[node.input[0].partition(":")[0]]
    return str(node.name)


def _find_sources(nodes: Mapping[str, Any], names: Iterable[str]) -> set[str]:
    """Return the nodes that some are computed from, with themselves."""
    found: set[str] = set()
    left = list(names)
    while left:
        name = left.pop()
        if name not in found and name in nodes:
            found.add(name)
            left += [each.partition(":")[0] for each in nodes[name].input if not each.startswith("^")]
    return found
