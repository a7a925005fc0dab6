"""SavedModels, read from their protos: nothing is loaded, and none of their functions is run.

Loading a SavedModel runs its initializers, which may read and write files. The graph of a signature is in the file itself, with
the shapes of its variables; their values are not needed to describe it.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow.python.grappler.tf_optimizer import OptimizeGraph  # pyright: ignore[reportMissingImports]

from dummyio.errors import SourceError, format_error_line
from dummyio_tensorflow.calling.shape_constants import guard_constants
from dummyio_tensorflow.calling.silence import silence_output

INITIALIZERS = ("__saved_model_init_op", "__saved_model_train_op")
"""Signatures that TensorFlow itself adds."""
_LARGEST = 1_000_000
"""A graph that has more nodes when its functions are inlined is not read: a few functions that call each other make billions."""


def read_saved_model(folder: Path) -> Any:
    """Return the ``MetaGraphDef`` of a SavedModel; raise `SourceError` for another folder, and for one with several."""
    try:
        graphs = tf.__internal__.saved_model.parse_saved_model(str(folder)).meta_graphs
    except Exception as error:  # protobuf's error class is not public
        raise SourceError(
            f"{folder}: TensorFlow {tf.__version__} does not read it as a SavedModel: {format_error_line(error)} "
            "It may be damaged, or written by a newer version."
        ) from error
    if len(graphs) != 1:
        raise SourceError(f"{folder}: the SavedModel has {len(graphs)} graphs, and one is needed: save it with one.")
    return graphs[0]


def list_signatures(folder: Path, meta: Any) -> list[str]:
    """Return the names of a SavedModel's signatures, the usual one first; raise `SourceError` if there are none."""
    names = [name for name, one in meta.signature_def.items() if name not in INITIALIZERS and one.inputs]
    if not names:
        raise SourceError(
            f"{folder}: the SavedModel has no signature, which declares its inputs. Save it with signatures=."
        )
    return sorted(names, key=lambda name: (name != "serving_default", name))


class SavedSignature:
    """One signature of a SavedModel: its inputs and outputs, and its graph with all functions inlined."""

    def __init__(self, folder: Path, meta: Any, name: str) -> None:
        """Read the signature; raise `SourceError` if it has inputs or outputs that are not tensors."""
        self._folder = folder
        signature = meta.signature_def[name]
        position = {node.name: number for number, node in enumerate(meta.graph_def.node)}
        # Maps of a proto have an order of their own in each process; the nodes have that of the function.
        self.inputs: dict[str, Any] = _order_tensors(signature.inputs, position, folder)
        self.outputs: dict[str, Any] = _order_tensors(signature.outputs, position, folder)
        self._meta = meta
        self._definition: Any = None

    def import_graph(self, specs: Mapping[str, Any]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
        """Return the graph for inputs of these specs, and its tensors of inputs and outputs, by name.

        Raises
        ------
        SourceError
            if the graph is damaged, needs operators that are not installed, or does not take these shapes.
        """
        try:
            with silence_output():
                if self._definition is None:
                    self._definition = self._inline_functions()
                    guard_constants(self._definition)
                nodes = {node.name: node for node in self._definition.node}
                for name, info in self.inputs.items():
                    nodes[_node_name(info.name)].attr["shape"].shape.CopyFrom(specs[name].shape.as_proto())
                with tf.Graph().as_default() as graph:
                    tf.graph_util.import_graph_def(self._definition, name="")
                inputs, outputs = (
                    {name: graph.get_tensor_by_name(info.name) for name, info in side.items()}
                    for side in (self.inputs, self.outputs)
                )
                for name, tensor in outputs.items():
                    rank: Any = tensor.shape.rank
                    if rank is None:  # an operator whose shapes TensorFlow does not infer
                        tensor.set_shape(tf.TensorShape(self.outputs[name].tensor_shape))
        except SourceError:
            raise
        except Exception as error:
            raise SourceError(f"{self._folder}: its graph cannot be read: {format_error_line(error)}") from error
        return graph, inputs, outputs

    def _inline_functions(self) -> Any:
        tensors = [info.name for info in (*self.inputs.values(), *self.outputs.values())]
        meta = tf.compat.v1.MetaGraphDef()
        starts = [_node_name(info.name) for info in self.inputs.values()]
        whole = tf.compat.v1.GraphDef()
        whole.CopyFrom(self._meta.graph_def)
        for node in whole.node:
            if node.name in starts and node.op != "Placeholder":  # one that has a default value
                kind = node.attr["dtype" if "dtype" in node.attr else "T"].type
                node.ClearField("attr")
                node.ClearField("input")
                node.op = "Placeholder"
                node.attr["dtype"].type = kind
        ends = sorted({_node_name(name) for name in tensors})
        meta.graph_def.CopyFrom(tf.compat.v1.graph_util.extract_sub_graph(whole, ends))
        _check_size(self._folder, meta.graph_def)
        for function in meta.graph_def.library.function:
            function.attr.pop(
                "api_implements", None
            )  # it keeps functions that have a variant for a GPU from being inlined
            _keep_control_flow(function.node_def)
        _keep_control_flow(meta.graph_def.node)
        meta.collection_def["train_op"].node_list.value.extend(tensors)
        config = tf.compat.v1.ConfigProto()
        rewrite = config.graph_options.rewrite_options
        rewrite.min_graph_nodes = -1  # small graphs too
        rewrite.optimizers.append("function")
        rewrite.function_optimization = rewrite.AGGRESSIVE
        return OptimizeGraph(config, meta, verbose=False)


def _order_tensors(tensors: Mapping[str, Any], position: Mapping[str, int], folder: Path) -> dict[str, Any]:
    for name, info in tensors.items():
        if not info.name or _node_name(info.name) not in position:
            raise SourceError(
                f"{folder}: {name[:80]!r} of its signature is not a tensor of the graph: only tensors can be described."
            )

    def place(name: str) -> tuple[int, int, str]:
        node, _, number = tensors[name].name.partition(":")
        return position[node], int(number) if number.isdecimal() else 0, name

    return {name: tensors[name] for name in sorted(tensors, key=place)}


def _node_name(tensor: str) -> str:
    return tensor.partition(":")[0]


def _keep_control_flow(nodes: Iterable[Any]) -> None:
    """Keep loops and branches as they are: their bodies run a number of times that a graph does not show."""
    for node in nodes:
        if "_lower_using_switch_merge" in node.attr:
            node.attr["_lower_using_switch_merge"].b = False


def _check_size(folder: Path, graph: Any) -> None:
    """Raise `SourceError` for a graph that would grow too large, or without end, when its functions are inlined."""
    functions = {function.signature.name: function for function in graph.library.function}
    sizes: dict[str, int] = {}

    def measure(nodes: Iterable[Any], callers: tuple[str, ...]) -> int:
        total = 0
        for node in nodes:
            own = [node.op, *(value.func.name for value in node.attr.values() if value.HasField("func"))]
            for name in own:
                if name in callers:
                    raise SourceError(
                        f"{folder}: its function {name[:80]!r} calls itself, so that its graph has no end."
                    )
                if name in functions and name not in sizes:
                    sizes[name] = measure(functions[name].node_def, (*callers, name))
            total += 1 + sum(sizes.get(name, 0) for name in own)
        return total

    try:
        size = measure(graph.node, ())
    except RecursionError as error:
        raise SourceError(f"{folder}: its functions are nested too deeply.") from error
    if size > _LARGEST:
        raise SourceError(
            f"{folder}: its graph has {size:.3g} nodes when its functions are inlined, at most {_LARGEST} are read."
        )
