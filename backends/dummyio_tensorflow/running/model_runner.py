"""Keras models, ``tf.function``s and modules as runners: called on the spec's nested tensors."""

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np
import tensorflow as tf

from dummyio.backend.result_names import name_outputs
from dummyio.errors import DTypeError, ExportError, RunError, SourceError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import check_feed_names
from dummyio.typing import Array
from dummyio_tensorflow.calling.bind_model import bind_spec, expand_composite_tensor
from dummyio_tensorflow.calling.frozen_function import freeze_model
from dummyio_tensorflow.running.keras_precision import copy_in_double, find_narrow_dtype
from dummyio_tensorflow.running.rounded_graph import RoundedGraph
from dummyio_tensorflow.tensors import to_numpy


class ModelRunner:
    """A model in memory, which declares no inputs and outputs."""

    inputs = None
    outputs = None

    def __init__(self, model: Any, spec: InputSpec) -> None:
        """Bind the model to the spec's inputs; raise `SourceError` if it does not take them."""
        self.engine = f"tensorflow {tf.__version__}"
        self._spec = spec
        self._model = model
        self._call = bind_spec(model, spec)
        self.computes_in = find_narrow_dtype(model)
        self._rounded_graphs: dict[str, tuple[tuple[str, ...], RoundedGraph]] = {}

    def in_double(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Run a copy of a Keras model in float64 on the same feeds, which gives its outputs almost without rounding.

        Raises
        ------
        RunError
            if the model does not run on these feeds, or has no such copy.
        """
        return self._double(feeds)

    def in_precision(self, feeds: Mapping[str, Array], precision: str) -> dict[str, Array]:
        """Run the frozen model with weights and inputs of products rounded to a preset's precision, which a file of it cannot avoid.

        Raises
        ------
        RunError
            if the model does not run on these feeds, or cannot be frozen.
        """
        check_feed_names(feeds, dict(self._spec.leaves))
        names, rounded = self._rounded(precision)
        try:
            results = rounded([np.asarray(feeds[path]) for path, _ in self._spec.leaves])
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        return dict(zip(names, results, strict=True))

    def _rounded(self, precision: str) -> tuple[tuple[str, ...], RoundedGraph]:
        if precision not in self._rounded_graphs:
            try:
                frozen = freeze_model(self._model, self._spec)
            except (ExportError, SourceError) as error:
                raise RunError(f"the model has no rounded form: {error}") from error
            self._rounded_graphs[precision] = frozen.outputs, RoundedGraph(frozen.graph, precision)
        return self._rounded_graphs[precision]

    @cached_property
    def _double(self) -> "ModelRunner":
        try:
            return ModelRunner(copy_in_double(self._model), self._spec)
        except Exception as error:  # layers of users may refuse any step
            raise RunError(f"the model has no form in float64: {format_error_line(error)}") from error

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the model; see `dummyio.running.runner.Runner`."""
        check_feed_names(feeds, dict(self._spec.leaves))
        own = {name: np.array(values) for name, values in feeds.items()}  # a backend may keep the arrays
        try:
            inputs = to_framework(self._spec, own, "tf")
        except DTypeError as error:
            raise RunError(str(error)) from error
        declared = [output.name for output in self._spec.outputs]
        try:
            results = name_outputs(self._call(inputs), declared, expand_composite_tensor)
            return {name: to_numpy(tf.convert_to_tensor(value)) for name, value in results.items()}
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
