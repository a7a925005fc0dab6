"""The begin and the end of every export: a model frozen on its spec, and the check of the artifact."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.errors import DummyioError, ExportError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import check_artifact
from dummyio.exporting.stages import report_stage
from dummyio.exporting.static_dims import fix_dims, split_into_buckets
from dummyio.input_spec import InputSpec
from dummyio.running.signatures import argument_names
from dummyio.typing import Buckets, StaticDims
from dummyio_tensorflow.calling.frozen_function import (
    Frozen,
    UntracedError,
    add_output_specs,
    freeze_model,
    trace_model,
)
from dummyio_tensorflow.exporting.operator_places import name_operators
from dummyio_tensorflow.graph_edits.scopes import iterate_nodes
from dummyio_tensorflow.running.model_runner import ModelRunner

Freeze = Callable[[Any, InputSpec], Frozen]


@dataclass(frozen=True)
class ExportJob:
    """A model on its way to a file."""

    model: Any
    spec: InputSpec
    """The inputs of the artifact, and its outputs."""

    specs: Mapping[str, InputSpec]
    """Signature → its inputs; one for each bucket."""

    signatures: Mapping[str, Frozen]
    notes: tuple[str, ...]

    @property
    def frozen(self) -> Frozen:
        """The model at the first signature."""
        return self.signatures["serving_default"]

    def finish(self, path: Path, *notes: str, **options: Any) -> ExportResult:
        """Check the artifact; `options` are those of `check_artifact`.

        A model with a true attribute ``is_compared_by_caller`` is not run: it stands for one of another framework.
        """
        is_compared = getattr(self.model, "is_compared_by_caller", False)
        reference = None if is_compared else ModelRunner(self.model, self.spec)
        unchecked = check_artifact(path, self.spec, self.frozen.outputs, reference=reference, **options)
        return ExportResult(self.spec, (*self.notes, *notes, *unchecked))


def prepare_export(
    model: Any, spec: InputSpec, static: StaticDims, buckets: Buckets = None, *, freeze: Freeze = freeze_model
) -> ExportJob:
    """Fix dims as `static` and `buckets` demand, and freeze the model on each signature, or make it a flat function by `freeze`."""
    spec, notes = fix_dims(spec, static)
    spec, specs, more = split_into_buckets(spec, buckets)
    with report_stage("trace", type(model).__name__):
        signatures = {name: _freeze(model, each, freeze) for name, each in specs.items()}
    _refuse_python(model, spec, signatures["serving_default"].graph.graph)
    spec = add_output_specs(spec, signatures["serving_default"])
    written = signatures["serving_default"].left_out
    dropped = (_LEFT_OUT.format(", ".join(written[:5])),) if written else ()
    return ExportJob(model, spec, specs, signatures, (*notes, *more, *dropped))


def _freeze(model: Any, spec: InputSpec, freeze: Freeze) -> Frozen:
    """Return the frozen model; if it does not trace, its error proposes the sizes with which it does."""
    try:
        return freeze(model, spec)
    except UntracedError as error:
        static = _find_static(model, spec)
        if static is None:
            raise
        raise UntracedError(error.reason, f"With static={static!r} it traces.") from error.__cause__


def _find_static(model: Any, spec: InputSpec) -> str | None:
    """Return the option ``static=`` with which a model traces; None if there is none."""
    for static in ("all_but_batch", "all"):
        fixed, changes = fix_dims(spec, static)
        if changes:
            try:
                trace_model(model, fixed)
            except DummyioError:
                continue
            return static
    return None


_LEFT_OUT = "a call of the model changes variables that no result depends on ({}): the file does not have them."


_PYTHON = ("EagerPyFunc", "PyFunc", "PyFuncStateless")


def _refuse_python(model: Any, spec: InputSpec, graph: Any) -> None:
    """Refuse a graph that calls Python: its file would run in this process only."""
    found = sorted({node.op for node in iterate_nodes(graph.as_graph_def()) if node.op in _PYTHON})
    if found:
        raise ExportError(
            f"the model calls a Python function, {name_operators(model, spec, found)}, which no file can contain: write tf.py_function and "
            "tf.numpy_function with TensorFlow's operators, or compute this part before the model."
        )


def keep_variables(model: Any, spec: InputSpec) -> Frozen:
    """Return a model as a flat function that keeps its variables and tables, for a SavedModel of a model that cannot be frozen.

    Raises
    ------
    ExportError
        if it does not trace, or changes its variables.
    """
    function, outputs = trace_model(model, spec)
    names = argument_names(path for path, _ in spec.leaves)
    specs = [
        tf.TensorSpec(tensor.shape, tensor.dtype, name)
        for tensor, name in zip(function.inputs, names.values(), strict=False)  # captured ones follow
    ]

    def flat(*tensors: Any) -> dict[str, Any]:
        return {name: tf.identity(value) for name, value in zip(outputs, function(*tensors), strict=True)}

    return Frozen(tf.function(flat, input_signature=specs, autograph=False), function, names, outputs)
