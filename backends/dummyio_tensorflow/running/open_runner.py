"""The runner of each kind of target: models in memory, SavedModels, frozen graphs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dummyio.backend.formats import detect_path_format
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner
from dummyio_tensorflow.running.graph_runners import GraphRunner, SavedModelRunner
from dummyio_tensorflow.running.model_runner import ModelRunner

_FILE_RUNNERS: Mapping[str, Callable[..., Runner]] = {"saved_model": SavedModelRunner, "pb": GraphRunner}
"""Format → its runner."""


def open_runner(target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> Runner:
    """Return a model or an artifact as a runner.

    Raises
    ------
    OptionError
        for any `engine`: each kind of file has one only.
    SourceError
        for a file that is not of the format of its suffix, a model without a spec, and one that cannot be called.
    TrustError
        for a file that can run code or touch files, unless `trust`.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: each TensorFlow format has one engine; leave the option out.")
    if not isinstance(target, Path):
        if spec is None:
            raise SourceError("a model in memory is called on the inputs of its spec: open_runner(model, spec).")
        return ModelRunner(target, spec)
    kind = detect_path_format(target)
    if kind is None or kind.name not in _FILE_RUNNERS:
        raise SourceError(f"{target}: TensorFlow runs the folder of a SavedModel, and .pb files.")
    return _FILE_RUNNERS[kind.name](target, spec, trust=trust)
