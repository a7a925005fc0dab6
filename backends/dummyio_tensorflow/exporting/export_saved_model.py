"""SavedModel folders and frozen graphs: the frozen function as it is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.errors import ExportError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.static_dims import fix_dims, split_into_buckets
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_tensorflow.calling.frozen_function import Frozen, add_output_specs, check_names_apart, freeze_model
from dummyio_tensorflow.calling.silence import quiet
from dummyio_tensorflow.running.graph_runners import GraphRunner
from dummyio_tensorflow.running.model_runner import ModelRunner

__all__ = ["export_pb", "export_saved_model", "save_signatures"]


def export_saved_model(
    model: Any,
    spec: InputSpec,
    path: Path,
    *,
    static: StaticDims = None,
    buckets: Mapping[str, Iterable[int]] | None = None,
) -> ExportResult:
    """Write a SavedModel of one frozen signature, ``serving_default``, and one for each further bucket.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`.
    static
        Dims to fix at their default sizes: ``"all"``, ``"all_but_batch"`` or names.
    buckets
        One dim and its sizes, each of which becomes a signature.
    """
    spec, notes = fix_dims(spec, static)
    spec, each, more = split_into_buckets(spec, buckets)
    frozen = {name: freeze_model(model, one) for name, one in each.items()}
    spec = add_output_specs(spec, frozen["serving_default"])
    save_signatures(frozen, path)
    unchecked = check_artifact(
        path, spec, frozen["serving_default"].outputs, reference=ModelRunner(model, spec), ordered=False
    )
    return ExportResult(spec, (*notes, *more, *unchecked))


def save_signatures(frozen: Mapping[str, Frozen], folder: Path) -> None:
    """Write frozen functions as the signatures of a SavedModel."""
    # Gradients are not wanted, and converters drop the signatures of a graph whose custom gradients cannot be saved.
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    signatures = {name: one.function.get_concrete_function() for name, one in frozen.items()}
    try:
        with quiet():
            tf.saved_model.save(tf.Module(), str(folder), signatures=signatures, options=options)
    except Exception as error:
        raise ExportError(f"TensorFlow cannot save it: {type(error).__name__}: {str(error)[:500]}") from error


def export_pb(model: Any, spec: InputSpec, path: Path, *, static: StaticDims = None) -> ExportResult:
    """Write a frozen graph, whose placeholders and last nodes have the names of inputs and outputs; options as above."""
    spec, notes = fix_dims(spec, static)
    frozen = freeze_model(model, spec)
    spec = add_output_specs(spec, frozen)
    check_names_apart(frozen.names.values(), frozen.outputs)
    with quiet():
        graph = _named_graph(frozen)
    path.write_bytes(graph.SerializeToString(deterministic=True))
    unchecked = check_artifact(
        path, spec, frozen.outputs, reference=ModelRunner(model, spec), ordered=False, opener=GraphRunner
    )
    return ExportResult(spec, (*notes, *unchecked))


def _named_graph(frozen: Frozen) -> Any:
    """Return the graph with a node of its name for each output: freezing calls them ``Identity``, ``Identity_1``."""
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
    # Without it, the placeholders that were replaced would stay, and look like inputs.
    ends = [*frozen.names.values(), *frozen.outputs]
    return tf.compat.v1.graph_util.extract_sub_graph(whole.as_graph_def(), ends)
