"""The inputs that a SavedModel, a frozen graph or a TFLite file declares."""

from pathlib import Path

import tensorflow as tf

from dummyio.backend.formats import FORMATS
from dummyio.errors import SourceError, format_error_line
from dummyio_tensorflow.calling.bind_model import choose_signature
from dummyio_tensorflow.declarations.declared_inputs import Declared, declared_from_concrete_function, leaf_from_spec
from dummyio_tensorflow.declarations.from_tflite import declared_from_tflite
from dummyio_tensorflow.running.graph_runners import find_graph_outputs, load_graph, load_signatures


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
    if path.suffix == FORMATS["tflite"].suffix:
        return declared_from_tflite(path, signature)
    return _declared_from_graph(path)


def _declared_from_saved_model(path: Path, signature: str | None) -> Declared:
    keep, signatures = load_signatures(path)
    name = choose_signature(signatures, signature, str(path))
    function = signatures[name]
    declared = declared_from_concrete_function(function, str(path))
    declared.callable = lambda **inputs: (keep, function(**inputs))[1]
    declared.outputs = tuple(function.structured_outputs)
    declared.notes["signature"] = name
    return declared


def _declared_from_graph(path: Path) -> Declared:
    definition = load_graph(path)
    with tf.Graph().as_default() as graph:
        try:
            tf.graph_util.import_graph_def(definition, name="")
        except Exception as error:
            raise SourceError(
                f"{path}: the graph is damaged, or of a newer TensorFlow: {format_error_line(error)}"
            ) from error
    placeholders = [op for op in graph.get_operations() if op.type == "Placeholder"]
    tree = {op.name: leaf_from_spec(op.outputs[0], op.name) for op in placeholders}
    return Declared(str(path), tree, graph=graph, outputs=tuple(find_graph_outputs(definition)))
