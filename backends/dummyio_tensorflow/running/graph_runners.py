"""SavedModels and frozen graphs as runners."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.backend.formats import FORMATS
from dummyio.errors import DTypeError, RunError, SourceError, build_trust_error, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.running.named_feeds import FeedMap, choose_fitting_signature, merge_signatures, select_signatures
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_tensorflow.calling.saved_model_protos import read_saved_model
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.dtypes import from_native
from dummyio_tensorflow.running.operator_trust import find_graph_dangers, find_saved_model_dangers
from dummyio_tensorflow.tensors import from_numpy, to_numpy


class _FunctionsRunner:
    """Concrete functions with the same named inputs: the first one whose declared shapes fit the feeds is called."""

    def __init__(self, path: Path, functions: Mapping[str, _Function], spec: InputSpec | None) -> None:
        self.engine = f"tensorflow {tf.__version__}"
        self._functions = functions
        self._declared = {name: function.inputs for name, function in functions.items()}
        outputs = merge_signatures({name: function.outputs for name, function in functions.items()})
        self._feed_map = FeedMap(str(path), self._declared, [tensor.name for tensor in outputs], spec)
        self.inputs: tuple[DeclaredTensor, ...] | None = self._feed_map.inputs
        self.outputs: tuple[DeclaredTensor, ...] | None = self._feed_map.order_outputs(outputs)

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the signature that takes these shapes; see `dummyio.running.runner.Runner`."""
        own = self._feed_map.check_feeds(feeds)
        chosen = self._functions[choose_fitting_signature(self._declared, own, self.engine)]
        tensors = {name: from_numpy(values.copy(), DType.of(values.dtype)) for name, values in own.items()}
        try:
            results = chosen.call(tensors)
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        return self._feed_map.order_results({name: to_numpy(value) for name, value in results.items()})


class _Function:
    """One concrete function with its declared inputs and outputs."""

    def __init__(self, function: Any, inputs: Mapping[str, Any], outputs: Mapping[str, Any]) -> None:
        self.inputs = tuple(_declared_tensor(name, spec) for name, spec in inputs.items())
        self.outputs = tuple(_declared_tensor(name, spec) for name, spec in outputs.items())
        self._function = function

    def call(self, tensors: Mapping[str, Any]) -> Mapping[str, Any]:
        """Call it on tensors by name."""
        return self._function({tensor.name: tensors[tensor.name] for tensor in self.inputs})


def _declared_tensor(name: str, spec: Any) -> DeclaredTensor:
    shape = None if spec.shape.rank is None else tuple(spec.shape.as_list())
    try:
        return DeclaredTensor(name, shape, from_native(spec.dtype))
    except DTypeError:
        return DeclaredTensor(name, shape)


class SavedModelRunner(_FunctionsRunner):
    """The signature ``serving_default`` of a SavedModel, or its only one, and all further signatures of the same inputs."""

    def __init__(
        self, folder: Path, spec: InputSpec | None, *, trust: bool = False, signature: str | None = None
    ) -> None:
        """Load the folder, which runs its initializers, to call one signature of it alone if that is given.

        Raises
        ------
        OptionError
            if it lacks the signature.
        SourceError
            if it is not a SavedModel, or has no signature with the spec's inputs.
        TrustError
            if it can run code or touch files, unless `trust`.
        """
        dangers = [] if trust else _find_dangers(folder)
        if dangers:
            raise build_trust_error(folder, dangers)
        self._keep, signatures = load_signatures(folder)
        sides = {
            name: (each.structured_input_signature[1], each.structured_outputs) for name, each in signatures.items()
        }
        chosen = select_signatures(sides, spec, signature, str(folder))
        super().__init__(folder, {name: _from_signature(signatures[name]) for name in chosen}, spec)


def _find_dangers(folder: Path) -> list[str]:
    meta = read_saved_model(folder)
    try:
        return find_saved_model_dangers(meta, folder)
    except Exception as error:  # it has protos inside of bytes, and protobuf's error class is not public
        raise SourceError(f"{folder}: the SavedModel is damaged: {format_error_line(error)}") from error


def load_signatures(folder: Path) -> tuple[Any, dict[str, Any]]:
    """Return a SavedModel, which must be kept alive, and its signatures, the usual one first."""
    try:
        with silence_output():
            loaded = tf.saved_model.load(str(folder))
    except Exception as error:
        raise SourceError(
            f"{folder}: TensorFlow {tf.__version__} does not load it as a SavedModel: {format_error_line(error)} "
            "It may be damaged, or written by a newer version."
        ) from error
    signatures = dict(getattr(loaded, "signatures", {}))
    if not signatures:
        raise SourceError(
            f"{folder}: the SavedModel has no signature, which declares its inputs. Save it with signatures=."
        )
    order = sorted(signatures, key=lambda name: (name != "serving_default", name))
    return loaded, {name: signatures[name] for name in order}


def _from_signature(function: Any) -> _Function:
    _, inputs = function.structured_input_signature
    return _Function(lambda tensors: function(**tensors), inputs, function.structured_outputs)


class GraphRunner(_FunctionsRunner):
    """A frozen graph: its placeholders are its inputs, and the nodes whose value no other node takes its outputs."""

    def __init__(self, path: Path, spec: InputSpec | None, *, trust: bool = False) -> None:
        """Load the file; errors as `load_graph`, and `TrustError` if it can run code or touch files, unless `trust`."""
        graph = load_graph(path)
        dangers = [] if trust else find_graph_dangers(graph)
        if dangers:
            raise build_trust_error(path, dangers)
        named = [output.name for output in spec.outputs] if spec is not None else []
        outputs = named if named and {node.name for node in graph.node}.issuperset(named) else find_graph_outputs(graph)
        inputs = [node.name for node in graph.node if node.op == "Placeholder"]
        try:
            with silence_output():
                whole = tf.compat.v1.wrap_function(lambda: tf.graph_util.import_graph_def(graph, name=""), [])
                starts, ends = (
                    {name: whole.graph.get_tensor_by_name(f"{name}:0") for name in names} for names in (inputs, outputs)
                )
                function = whole.prune(list(starts.values()), ends)
        except Exception as error:
            raise SourceError(
                f"{path}: the graph is damaged, or of a newer TensorFlow: {format_error_line(error)}"
            ) from error
        super().__init__(path, {"graph": _Function(lambda tensors: function(*tensors.values()), starts, ends)}, spec)


def load_graph(path: Path) -> Any:
    """Return the ``GraphDef`` of a frozen graph; raise `SourceError` for another file."""
    graph = tf.compat.v1.GraphDef()
    try:
        graph.ParseFromString(path.read_bytes())
    except Exception as error:  # protobuf's error class is not public
        raise SourceError(f"{path} is not a frozen graph, or it is damaged: {format_error_line(error)}") from error
    if not graph.node:
        remedy = " Give the SavedModel's folder instead." if path.name == FORMATS["saved_model"].contains else ""
        raise SourceError(f"{path} is not a frozen graph: it has no nodes.{remedy}")
    return graph


def find_graph_outputs(graph: Any) -> list[str]:
    """Return the names of the nodes whose values no other node takes, in the graph's order."""
    taken = {source.lstrip("^").split(":")[0] for node in graph.node for source in node.input}
    others = ("NoOp", "Const", "Placeholder", "Assert")
    return [node.name for node in graph.node if node.name not in taken and node.op not in others]
