"""Operators of a TensorFlow graph that run code or touch files, found in its protos before anything is loaded.

An operator is harmless if TensorFlow has it, and it is stateless, or stateful and one of ``operators.json``; that file also lists the
stateless ones that do harm. A new operator of TensorFlow is thus harmful if it is stateful, until it is listed. Reading a table
of words is harmless from the SavedModel's own assets, and reading variables from its own checkpoint.
"""

import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from tensorflow.core.framework.variable_pb2 import VariableDef  # pyright: ignore[reportMissingImports]
from tensorflow.core.protobuf.meta_graph_pb2 import AssetFileDef  # pyright: ignore[reportMissingImports]
from tensorflow.python.framework import op_def_registry  # pyright: ignore[reportMissingImports]

from dummyio.backend.formats import FORMATS
from dummyio.sources.read_file import is_inside
from dummyio_tensorflow.calling.saved_model_protos import INITIALIZERS

_MOST_CONTEXTS = 10_000
"""Functions are checked for the kinds of their arguments; beyond this number of combinations, for none."""
_CALLS = ("PartitionedCall", "StatefulPartitionedCall", "While", "StatelessWhile", "_While")
"""Operators whose inputs are the arguments of their functions."""
_LOOPS = ("While", "StatelessWhile", "_While", "RiscWhile")
"""Operators that give the results of their body to it again."""
_BRANCHES = ("If", "StatelessIf", "_If", "Case", "StatelessCase")
"""Operators whose inputs behind the first are the arguments of their functions."""
_SAME = ("Identity", "PlaceholderWithDefault")
"""Operators whose result is their input."""

Kinds = Sequence[str]
"""For each argument: ``"asset"``, the name of a file of the SavedModel, ``"checkpoint"``, that of its variables, or an empty text."""


@lru_cache(maxsize=1)
def _read_table() -> Mapping[str, Any]:
    return json.loads((Path(__file__).parent / "operators.json").read_text(encoding="utf-8"))


@lru_cache(maxsize=4096)
def is_harmless(kind: str) -> bool | None:
    """Whether an operator can do no harm, by its name; None for one that depends on its attributes or inputs."""
    table = _read_table()
    if kind in table["harmless for these attributes"] or kind in table["harmless for these files"]:
        return None
    definition = op_def_registry.get(kind)
    if definition is None:
        return False
    if definition.is_stateful:
        return _is_listed(kind, table["stateful and harmless"])
    return not _is_listed(kind, table["stateless and harmful"])


def _is_listed(kind: str, groups: Mapping[str, Iterable[str]]) -> bool:
    return any(re.fullmatch(pattern, kind) for patterns in groups.values() for pattern in patterns)


def find_graph_dangers(graph: Any) -> list[str]:
    """Return the harmful operators of a frozen graph and its functions, as texts for the error."""
    return _GraphCheck(graph).check({}, ())


def find_saved_model_dangers(meta: Any, folder: Path) -> list[str]:
    """Return the harmful operators of a SavedModel, as `find_graph_dangers`: those that loading or a signature may run.

    Functions and operators that write its checkpoint are left out: only training runs them. Files that are links must lead to
    its folder, or to that of the file which its ``saved_model.pb`` is a link to, as in a cache of downloads.
    """
    graph, assets = meta.graph_def, _list_assets(meta)
    check = _GraphCheck(graph)
    if meta.HasField("object_graph_def"):  # its functions are run, and none of the operators around them
        objects = meta.object_graph_def
        for name, function in objects.concrete_functions.items():
            check.add_root(name, ["asset" if _is_asset(objects, number) else "" for number in function.bound_inputs])
        found = check.check({}, {node.name for node in graph.node})
    else:
        known = {_node_name(asset.tensor_info.name): "asset" for asset in assets}
        saver = meta.saver_def
        if saver.filename_tensor_name:
            known[_node_name(saver.filename_tensor_name)] = "checkpoint"
        single = {node.name for node in graph.node if node.op in ("Const", "Placeholder", "PlaceholderWithDefault")}
        known = {name: kind for name, kind in known.items() if name in single}  # others have results that are not given
        # The names of files are given to the initializers only: in a signature, these tensors have values of their own.
        signatures = _find_ancestors(graph, _list_outputs(meta, initializing=False))
        written = (
            _find_ancestors(graph, [saver.save_tensor_name]) - signatures - _find_ancestors(graph, _list_loaded(meta))
        )
        found = check.check(known, written, signatures)
    model = folder / FORMATS["saved_model"].contains
    outside = {asset.filename for asset in assets if not is_inside(asset.filename, model, "assets")}
    variables = sorted((folder / "variables").glob("*"))
    linked = [file.name for file in variables if not is_inside(file.name, model, "variables")]
    return [
        *found,
        *(f"an asset outside of its folder, {name[:80]!r}" for name in sorted(outside)),
        *(f"variables outside of its folder, {name[:80]!r}" for name in linked),
    ]


def _list_assets(meta: Any) -> list[Any]:
    if meta.asset_file_def or "saved_model_assets" not in meta.collection_def:
        return list(meta.asset_file_def)
    return [AssetFileDef.FromString(value.value) for value in meta.collection_def["saved_model_assets"].any_list.value]


def _list_outputs(meta: Any, *, initializing: bool) -> list[str]:
    chosen = [one for name, one in meta.signature_def.items() if (name in INITIALIZERS) == initializing]
    return [info.name for one in chosen for info in one.outputs.values()]


def _list_loaded(meta: Any) -> list[str]:
    """Return the names of the tensors and operators that loading a SavedModel of TensorFlow 1 may compute."""
    found = _list_outputs(meta, initializing=True)
    for key, collection in meta.collection_def.items():
        found += collection.node_list.value
        if "variables" in key:
            found += [VariableDef.FromString(value).initializer_name for value in collection.bytes_list.value]
    return [*found, meta.saver_def.restore_op_name]


def _is_asset(objects: Any, number: int) -> bool:
    return 0 <= number < len(objects.nodes) and objects.nodes[number].WhichOneof("kind") == "asset"


def _find_ancestors(graph: Any, tensors: Iterable[str]) -> set[str]:
    nodes = {node.name: node for node in graph.node}
    left = [_node_name(name) for name in tensors]
    found: set[str] = set()
    while left:
        name = left.pop()
        if name in nodes and name not in found:
            found.add(name)
            left += map(_node_name, nodes[name].input)
    return found


def _node_name(tensor: str) -> str:
    return tensor.lstrip("^").partition(":")[0]


class _GraphCheck:
    """The check of one graph and its functions."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph
        self._functions = {function.signature.name: function for function in graph.library.function}
        self._left: list[tuple[str, tuple[str, ...]]] = []
        self._seen: set[tuple[str, tuple[str, ...]]] = set()
        self._found: dict[str, None] = {}  # a set that keeps the order

    def add_root(self, name: str, captured: Kinds) -> None:
        """Add a function that may be run; the values that it captures are its last arguments."""
        if name in self._functions:
            free = max(len(self._functions[name].signature.input_arg) - len(captured), 0)
            self._add_call(name, [*[""] * free, *captured])

    def check(self, known: Mapping[str, str], skipped: Collection[str], called: Collection[str] = ()) -> list[str]:
        """Return the harmful operators.

        Parameters
        ----------
        known
            Nodes of the graph with the name of a file → its kind.
        skipped
            Nodes that nothing runs; functions that only they call are left out too.
        called
            Nodes for which `known` does not hold.
        """
        self._check_nodes([node for node in self._graph.node if node.name in called], {})
        others = {*skipped, *called}
        self._check_nodes([node for node in self._graph.node if node.name not in others], dict(known))
        self._check_functions()
        seen = {name for name, _ in self._seen}
        unused = self._find_functions([node for node in self._graph.node if node.name in skipped])
        for name in self._functions.keys() - seen - unused:
            self._add_call(name, ())
        self._check_functions()
        return list(self._found)

    def _find_functions(self, nodes: Iterable[Any]) -> set[str]:
        """Return the names of the functions that nodes call, directly and through others."""
        left, found = [name for node in nodes for name in _list_functions(node)], set[str]()
        while left:
            name = left.pop()
            if name in self._functions and name not in found:
                found.add(name)
                left += [other for node in self._functions[name].node_def for other in _list_functions(node)]
        return found

    def _add_call(self, name: str, kinds: Kinds) -> None:
        if name not in self._functions:
            return
        count = len(self._functions[name].signature.input_arg)
        padded = [*kinds[:count], *[""] * (count - len(kinds))] if len(self._seen) < _MOST_CONTEXTS else [""] * count
        call = (name, tuple(padded))
        if call not in self._seen:
            self._seen.add(call)
            self._left.append(call)

    def _check_functions(self) -> None:
        while self._left:
            name, kinds = self._left.pop()
            function = self._functions[name]
            names = [argument.name for argument in function.signature.input_arg]
            self._check_nodes(function.node_def, dict(zip(names, kinds, strict=True)))

    def _check_nodes(self, nodes: Iterable[Any], known: dict[str, str]) -> None:
        nodes = list(nodes)
        copies: dict[str, list[str]] = {}
        for node in nodes:
            if node.op in _SAME and node.input:
                copies.setdefault(_node_name(node.input[0]), []).append(node.name)
        left = list(known)
        while left:
            source = left.pop()
            for name in copies.get(source, ()):
                if name not in known:
                    known[name] = known[source]
                    left.append(name)
        for node in nodes:
            kinds = [known.get(_node_name(source), "") for source in node.input if not source.startswith("^")]
            self._check_node(node, kinds)
            taken: Kinds = (
                kinds if node.op in _CALLS or node.op in self._functions else kinds[1:] if node.op in _BRANCHES else ()
            )
            if node.op in _LOOPS:
                taken = self._keep_loop_values(node, taken)
            for name in _list_functions(node):
                self._add_call(name, taken)

    def _keep_loop_values(self, node: Any, kinds: Kinds) -> Kinds:
        """Return the kinds of the values that the body of a loop returns as they are; others may be anything in the next round."""
        body = self._functions.get(node.attr["body"].func.name)
        if body is None:
            return [""] * len(kinds)
        copied = {one.name: one.input[0] for one in body.node_def if one.op in _SAME and one.input}
        returned = [body.ret[result.name] for result in body.signature.output_arg]
        arguments = [argument.name for argument in body.signature.input_arg]

        def find_origin(source: str) -> str:
            for _ in copied:
                name = _node_name(source)
                if name not in copied:
                    break
                source = copied[name]
            return source

        same = [find_origin(source) == name for source, name in zip(returned, arguments, strict=False)]
        return [kind if place < len(same) and same[place] else "" for place, kind in enumerate(kinds)]

    def _check_node(self, node: Any, kinds: Kinds) -> None:
        if node.op in self._functions:
            return
        harmless = is_harmless(node.op)
        if harmless is None:
            harmless = _is_harmless_use(node, kinds)
        if not harmless:
            name = node.op if node.op.isidentifier() else repr(node.op)
            self._found[f"operator {name[:80]}"] = None


def _list_functions(node: Any) -> list[str]:
    single = [value.func.name for value in node.attr.values() if value.HasField("func")]
    return [node.op, *single, *(one.name for value in node.attr.values() for one in value.list.func)]


def _is_harmless_use(node: Any, kinds: Kinds) -> bool:
    """Whether this use of an operator is harmless, by an attribute or by the file that it reads."""
    table = _read_table()
    if node.op in table["harmless for these files"]:
        place, kind = table["harmless for these files"][node.op]
        return len(kinds) > place and kinds[place] == kind
    attribute, pattern = table["harmless for these attributes"][node.op]
    value = node.attr[attribute].s if attribute in node.attr else _get_default(node.op, attribute)
    return re.fullmatch(pattern, value.decode("latin-1")) is not None


def _get_default(kind: str, attribute: str) -> bytes:
    definition = op_def_registry.get(kind)
    attributes = definition.attr if definition is not None else ()
    return next((one.default_value.s for one in attributes if one.name == attribute), b"")
