"""Keras models, ``tf.function``s and modules as runners: called on the spec's nested tensors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from dummyio.backend.result_names import name_outputs
from dummyio.errors import DTypeError, RunError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import check_feed_names
from dummyio.typing import Array
from dummyio_tensorflow.calling.bind_model import bind_model, expand_composite_tensor
from dummyio_tensorflow.tensors import to_numpy

__all__ = ["ModelRunner"]


class ModelRunner:
    """A model in memory; it declares nothing that the spec does not say."""

    inputs = None
    outputs = None

    def __init__(self, model: Any, spec: InputSpec) -> None:
        """Find how the model is called; raise `SourceError` if it cannot be found."""
        self.engine = f"tensorflow {tf.__version__}"
        self._spec = spec
        self._call = bind_model(model, list(spec))
        self._names = dict(spec.leaves)
        self._declared = [output.name for output in spec.outputs]

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the model; see `dummyio.runner.Runner`."""
        check_feed_names(feeds, self._names)
        own = {name: np.array(values) for name, values in feeds.items()}  # a backend keeps what it is given
        try:
            inputs = to_framework(self._spec, own, "tf")
        except DTypeError as error:
            raise RunError(str(error)) from error
        try:
            results = name_outputs(self._call(inputs), self._declared, expand_composite_tensor)
            return {name: to_numpy(tf.convert_to_tensor(value)) for name, value in results.items()}
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error
