"""Moved out of backends/dummyio_tensorflow/declarations/declared_inputs.py."""

from __future__ import annotations

from pathlib import Path

import tensorflow as tf

from dummyio.backend.formats import FORMATS
from dummyio.errors import SourceError
from dummyio_tensorflow.declarations.declared_inputs import (
    Declared,
    choose_signature,
    declared_from_concrete_function,
    leaf_of,
)


def declared_from_file(path: Path, signature: str | None) -> Declared:
    """Return what a SavedModel, a frozen graph or a TFLite file declares.

    Raises
    ------
    SourceError
        for what is none of them.
    OptionError
        for a signature that is not in the file.
    """
    if path.is_dir():
        return _of_saved_model(path, signature)
    if path.suffix == FORMATS["tflite"].suffix:
        from dummyio_tensorflow.declarations.from_tflite import of_tflite  # noqa: PLC0415 - for these files only

        return of_tflite(path, signature)
    return _of_graph(path)


def _of_saved_model(path: Path, signature: str | None) -> Declared:
    from dummyio_tensorflow.running.graph_runners import load_signatures  # noqa: PLC0415 - for these only

    keep, signatures = load_signatures(path)
    name = choose_signature(signatures, signature, str(path))
    function = signatures[name]
    declared = declared_from_concrete_function(function, str(path))
    declared.callable = lambda **inputs: (keep, function(**inputs))[1]
    declared.outputs = tuple(function.structured_outputs)
    declared.notes["signature"] = name
    return declared


def _of_graph(path: Path) -> Declared:
    from dummyio_tensorflow.running.graph_runners import find_graph_outputs, load_graph  # noqa: PLC0415 - for these only

    definition = load_graph(path)
    with tf.Graph().as_default() as graph:
        try:
            tf.graph_util.import_graph_def(definition, name="")
        except Exception as error:
            raise SourceError(f"{path}: the graph is damaged, or of a newer TensorFlow: {str(error)[:300]}") from error
    tree = {op.name: leaf_of(op.outputs[0], op.name) for op in graph.get_operations() if op.type == "Placeholder"}
    return Declared(str(path), tree, graph=graph, outputs=tuple(find_graph_outputs(definition)))
