"""SavedModel folders and frozen graphs: the frozen function as it is."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.errors import ExportError, format_error_line
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_names_apart
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.typing import Buckets, StaticDims
from dummyio_tensorflow.calling.frozen_function import Frozen, TableError
from dummyio_tensorflow.calling.silence import silence_output
from dummyio_tensorflow.exporting.export_job import keep_variables, prepare_export
from dummyio_tensorflow.running.graph_runners import GraphRunner, SavedModelRunner


def export_saved_model(
    model: Any, spec: InputSpec, path: Path, *, static: StaticDims = None, buckets: Buckets = None
) -> ExportResult:
    """Write a SavedModel of one frozen signature, ``serving_default``, and one for each further bucket.

    A model with lookup tables is not frozen: its signatures keep variables and tables.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    buckets
        One dim and its sizes, each of which becomes a signature.

    Raises
    ------
    ExportError
        if the model cannot be frozen or saved.
    """
    try:
        job = prepare_export(model, spec, static, buckets)
        kept, notes = None, tuple[str, ...]()
    except TableError:
        job = prepare_export(model, spec, static, buckets, freeze=keep_variables)
        kept, notes = model, (_NOT_FROZEN,)
    with report_stage("write", path.name):
        save_signatures(job.signatures, path, kept)
    return job.finish(path, *notes, ordered=False, opener=partial(SavedModelRunner, trust=True))


_NOT_FROZEN = (
    "the model has lookup tables, which cannot be frozen: the SavedModel keeps them, and variables are not constants."
)


def save_signatures(frozen: Mapping[str, Frozen], folder: Path, kept: Any = None) -> None:
    """Write flat functions as the signatures of a SavedModel; `kept` is the model, if its variables and tables are not in them."""
    module: Any = tf.Module()
    module.model = kept
    # Gradients are not needed, and converters drop the signatures of a graph whose custom gradients cannot be saved.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    signatures = {name: one.function.get_concrete_function() for name, one in frozen.items()}
    try:
        with silence_output():
            tf.saved_model.save(module, str(folder), signatures=signatures, options=options)
    except Exception as error:
        raise ExportError(f"TensorFlow cannot save the model: {format_error_line(error)}") from error


def export_pb(model: Any, spec: InputSpec, path: Path, *, static: StaticDims = None) -> ExportResult:
    """Write a frozen graph, whose placeholders and last nodes have the names of inputs and outputs.

    Parameters and errors are those of `export_saved_model`.
    """
    job = prepare_export(model, spec, static)
    check_names_apart(job.frozen.names.values(), job.frozen.outputs)
    with report_stage("write", path.name), silence_output():
        graph = _build_named_graph(job.frozen)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    return job.finish(path, ordered=False, opener=partial(GraphRunner, trust=True))


def _build_named_graph(frozen: Frozen) -> Any:
    """Return the graph with a node for each output's name: freezing calls them ``Identity``, ``Identity_1``."""
    with tf.Graph().as_default() as whole:
        tensors = [
            tf.compat.v1.placeholder(tensor.dtype, tensor.shape, name)
            for tensor, name in zip(frozen.graph.inputs, frozen.names.values(), strict=True)
        ]
        feeds = {tensor.name: own for tensor, own in zip(frozen.graph.inputs, tensors, strict=True)}
        wanted = [tensor.name for tensor in frozen.graph.outputs]
        results = tf.graph_util.import_graph_def(frozen.graph.graph.as_graph_def(), feeds, wanted, name="model")
        for name, value in zip(frozen.outputs, results, strict=True):
            if tf.identity(value, name).op.name != name:
                raise ExportError(f"output {name!r} cannot be the name of a node: return it under another name.")
    # Without this, the placeholders that were replaced would stay, and look like inputs.
    ends = [*frozen.names.values(), *frozen.outputs]
    return tf.compat.v1.graph_util.extract_sub_graph(whole.as_graph_def(), ends)
