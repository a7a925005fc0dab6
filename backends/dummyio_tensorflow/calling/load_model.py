"""Keras models from files."""

from pathlib import Path
from typing import Any

import keras

from dummyio.errors import DummyioError, OptionError, SourceError, build_trust_error, format_error_line
from dummyio_tensorflow.calling.keras_sizes import bound_variables, measure_weights
from dummyio_tensorflow.calling.keras_trust import find_keras_dangers


def load_model(path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
    """Return the model of a ``.keras`` or ``.h5`` file, and its name for messages.

    Raises
    ------
    SourceError
        if Keras cannot load it, or it would take far more memory than its weights.
    MemoryBudgetError
        if its weights exceed the budget.
    TrustError
        if it contains code, or reads other files, unless `trust`.
    """
    if task is not None:
        raise OptionError(f"task={task!r}: a Keras model has one task, its own; leave it out.")
    try:
        stored = measure_weights(path)
        dangers = [] if trust else find_keras_dangers(path)
        if dangers:
            raise build_trust_error(path, dangers)
        with bound_variables(path, stored):
            # What it was trained with is not needed, and would be loaded too.
            return keras.models.load_model(path, compile=False, safe_mode=not trust), f"the Keras model {path}"
    except DummyioError:
        raise
    except Exception as error:  # damaged files raise errors of many libraries
        raise SourceError(f"{path}: Keras cannot load it: {format_error_line(error)}") from error
