"""The inputs that a SavedModel or a frozen graph declares."""

from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.errors import SourceError, format_error_line
from dummyio.running.signatures import SIGNATURE, choose_signature
from dummyio.sources.declared import Declared, Leaf
from dummyio_tensorflow.calling.saved_model_protos import SavedSignature, list_signatures, read_saved_model
from dummyio_tensorflow.calling.shape_constants import guard_constants
from dummyio_tensorflow.declarations.declared_inputs import leaf_from_spec
from dummyio_tensorflow.running.graph_runners import find_graph_outputs, load_graph


def declared_from_file(path: Path, signature: str | None) -> Declared:
    """Return the declared inputs of a file or folder.

    Raises
    ------
    SourceError
        for a file of another format.
    OptionError
        for a signature that is not in the file.
    """
    if path.is_dir():
        return _declared_from_saved_model(path, signature)
    return _declared_from_graph(path)


def _declared_from_saved_model(path: Path, signature: str | None) -> Declared:
    meta = read_saved_model(path)
    name = choose_signature(list_signatures(path, meta), signature, str(path))
    own = SavedSignature(path, meta, name)
    tree = {key: _leaf_from_info(info, key) for key, info in own.inputs.items()}
    return Declared(str(path), tree, callable=own, outputs=tuple(own.outputs), notes={SIGNATURE: name})


def _leaf_from_info(info: Any, name: str) -> Leaf:
    try:
        return leaf_from_spec(tf.TensorSpec(tf.TensorShape(info.tensor_shape), tf.dtypes.as_dtype(info.dtype)), name)
    except (TypeError, ValueError) as error:
        raise SourceError(f"input {name!r} has no valid shape and dtype: {format_error_line(error)}") from error


def _declared_from_graph(path: Path) -> Declared:
    definition = load_graph(path)
    inputs, outputs = (
        [node.name for node in definition.node if node.op == "Placeholder"],
        find_graph_outputs(definition),
    )
    with tf.Graph().as_default() as graph:
        try:
            guard_constants(definition)
            tf.graph_util.import_graph_def(definition, name="")
        except Exception as error:
            raise SourceError(
                f"{path}: the graph is damaged, or of a newer TensorFlow: {format_error_line(error)}"
            ) from error
    tree = {name: leaf_from_spec(graph.get_tensor_by_name(f"{name}:0"), name) for name in inputs}
    return Declared(str(path), tree, graph=graph, outputs=tuple(outputs))
