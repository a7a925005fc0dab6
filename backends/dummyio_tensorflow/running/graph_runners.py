"""SavedModels and frozen graphs as runners."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.backend.formats import FORMATS
from dummyio.errors import DTypeError, RunError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.dtypes import from_native
from dummyio_tensorflow.running.named_feeds import FeedMap, choose_fitting_signature, common
from dummyio_tensorflow.tensors import from_numpy, to_numpy

__all__ = ["GraphRunner", "SavedModelRunner", "find_graph_outputs", "load_graph", "load_signatures"]


class _Functions:
    """Concrete functions that take the same inputs by name: the first whose declared shapes fit is called."""

    def __init__(self, place: Path, functions: Mapping[str, _Function], spec: InputSpec | None) -> None:
        self.engine = f"tensorflow {tf.__version__}"
        self._functions = functions
        self._declared = {name: one.inputs for name, one in functions.items()}
        first = next(iter(functions.values()))
        self._feeding = FeedMap(str(place), self._declared, [port.name for port in first.outputs], spec)
        self.inputs: tuple[DeclaredTensor, ...] | None = self._feeding.inputs
        names = {port.name for port in first.outputs}
        outputs = common({name: one.outputs for name, one in functions.items()}, names)
        self.outputs: tuple[DeclaredTensor, ...] | None = self._feeding.ordered(outputs)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the signature; see `dummyio.runner.Runner`."""
        own = self._feeding.check(feeds)
        chosen = self._functions[choose_fitting_signature(self._declared, own, self.engine)]
        tensors = {name: from_numpy(values.copy(), DType.of(values.dtype)) for name, values in own.items()}
        try:
            results = chosen.call(tensors)
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error
        found = {name: to_numpy(value) for name, value in results.items()}
        return self._feeding.results(found)


class _Function:
    """One concrete function with what it declares."""

    def __init__(self, function: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self.inputs = tuple(_port(name, spec) for name, spec in inputs.items())
        self.outputs = tuple(_port(name, spec) for name, spec in outputs.items())
        self._function = function
        self._order = list(inputs)

    def call(self, tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call it on tensors by name."""
        return self._function({name: tensors[name] for name in self._order})


def _port(name: str, spec: Any) -> DeclaredTensor:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    try:
        return DeclaredTensor(name, shape, from_native(spec.dtype))
    except DTypeError:
        return DeclaredTensor(name, shape)


class SavedModelRunner(_Functions):
    """A SavedModel's ``serving_default``, or its only signature; with a spec, all signatures of its inputs."""

    def __init__(self, folder: Path, spec: InputSpec | None) -> None:
        """Load the folder.

        Raises
        ------
        SourceError
            where it is no SavedModel, or has no signature of the spec's inputs.
        """
        self._keep, signatures = load_signatures(folder)
        functions = {name: _of_signature(function) for name, function in signatures.items()}
        super().__init__(folder, functions, spec)


def load_signatures(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return a SavedModel, which must be kept alive, and its signatures, the usual one first."""
    try:
        with quiet():
            loaded = tf.saved_model.load(str(folder))
    except Exception as error:
        raise SourceError(
            f"{folder}: TensorFlow {tf.__version__} does not load it as a SavedModel: {type(error).__name__}: "
            f"{str(error)[:300]} It may be damaged, or written by a newer version."
        ) from error
    signatures = dict(loaded.signatures)
    if not signatures:
        raise SourceError(
            f"{folder}: the SavedModel has no signature, and nothing says what it takes. Save it with signatures=."
        )
    order = sorted(signatures, key=lambda name: name != "serving_default")
    return loaded, {name: signatures[name] for name in order}


def _of_signature(function: Any) -> _Function:
    _, inputs = function.structured_input_signature
    return _Function(lambda tensors: function(**tensors), inputs, function.structured_outputs)


class GraphRunner(_Functions):
    """A frozen graph: its placeholders are its inputs; its outputs are what no node takes."""

    def __init__(self, path: Path, spec: InputSpec | None) -> None:
        """Load the file; errors as `load_graph`."""
        graph = load_graph(path)
        named = [output.name for output in spec.outputs] if spec is not None else []
        known = {node.name for node in graph.node}
        outputs = named if named and known.issuperset(named) else find_graph_outputs(graph)
        inputs = [node.name for node in graph.node if node.op == "Placeholder"]
        try:
            with quiet():
                whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
                tensor = whole.graph.get_tensor_by_name
                ends = {name: tensor(f"{name}:0") for name in outputs}
                starts = {name: tensor(f"{name}:0") for name in inputs}
                function = whole.prune(list(starts.values()), ends)
        except Exception as error:
            raise SourceError(f"{path}: the graph is damaged, or of a newer TensorFlow: {str(error)[:300]}") from error
        one = _Function(lambda tensors: function(*tensors.values()), starts, ends)
        super().__init__(path, {"graph": one}, spec)


def load_graph(path: Path) -> Any:
    """Return a frozen graph's ``GraphDef``; raise `SourceError` for what is none."""
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's own, which is no public name
        raise SourceError(f"{path}: no frozen graph, or a damaged one: {error}") from error
    if not graph.node:
        remedy = " Give the SavedModel's folder instead." if path.name == FORMATS["saved_model"].contains else ""
        raise SourceError(f"{path}: no frozen graph: it holds no node.{remedy}")
    return graph


def find_graph_outputs(graph: Any) -> list[str]:
    """Return the nodes whose values no other node takes, in the graph's order."""
    taken = {source.lstrip("^").split(":")[0] for node in graph.node for source in node.input}
    quiet_kinds = ("NoOp", "Const", "Placeholder", "Assert")
    return [node.name for node in graph.node if node.name not in taken and node.op not in quiet_kinds]
