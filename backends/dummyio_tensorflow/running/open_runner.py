"""Anything of TensorFlow's as a function of NumPy feeds: models in memory, SavedModels, frozen graphs, TFLite files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner
from dummyio_tensorflow.running.graph_runners import GraphRunner, SavedModelRunner
from dummyio_tensorflow.running.model_runner import ModelRunner
from dummyio_tensorflow.running.tflite_runner import TfliteRunner

__all__ = ["runner"]


def runner(target: Any, spec: InputSpec | None, engine: str | None) -> Runner:
    """Return a model or an artifact as a runner.

    Raises
    ------
    OptionError
        for any `engine`: each kind of file has one only.
    SourceError
        for what is not what its suffix says, and what cannot be called.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: what TensorFlow writes has one engine each; leave it out.")
    if not isinstance(target, Path):
        return ModelRunner(target, spec)
    if target.is_dir():
        return SavedModelRunner(target, spec)
    if target.suffix == ".tflite":
        return TfliteRunner(target, spec)
    if target.suffix == ".pb":
        return GraphRunner(target, spec)
    raise SourceError(f"{target}: TensorFlow runs the folder of a SavedModel, .pb and .tflite files.")
