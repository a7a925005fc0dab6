"""Keras models from files."""

from pathlib import Path
from typing import Any

import keras

from dummyio.errors import OptionError, SourceError


def load_model(path: Path, task: str | None, *, trust: bool = False) -> tuple[Any, str]:
    """Return the model of a ``.keras`` or ``.h5`` file, and its name for messages; raise `SourceError` if Keras fails."""
    if task is not None:
        raise OptionError(f"task={task!r}: a Keras model has one task, its own; leave it out.")
    try:
        return keras.models.load_model(path), f"the Keras model {path}"
    except (OSError, ValueError, TypeError) as error:
        raise SourceError(f"{path}: Keras cannot load it: {error}") from error
