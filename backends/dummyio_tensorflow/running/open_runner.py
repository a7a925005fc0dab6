"""The runner of each kind of target: models in memory, SavedModels, frozen graphs."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dummyio.backend.formats import detect_path_format
from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import Runner
from dummyio.running.signatures import SIGNATURE
from dummyio_tensorflow.calling.bind_model import choose_function, has_functions
from dummyio_tensorflow.running.graph_runners import GraphRunner, SavedModelRunner
from dummyio_tensorflow.running.model_runner import ModelRunner

_FILE_RUNNERS: Mapping[str, Callable[..., Runner]] = {"saved_model": SavedModelRunner, "pb": GraphRunner}
"""Format → its runner."""


def open_runner(
    target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False, signature: str | None = None
) -> Runner:
    """Return a model or an artifact as a runner.

    Raises
    ------
    OptionError
        for any `engine`: each kind of file has one only; and for a signature that the target does not have.
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
        return ModelRunner(target, spec if signature is None else _choose_function(target, spec, signature))
    kind = detect_path_format(target)
    if kind is None or kind.name not in _FILE_RUNNERS:
        raise SourceError(f"{target}: TensorFlow runs the folder of a SavedModel, and .pb files.")
    if signature is not None and kind.name != "saved_model":
        raise OptionError(
            f"signature={signature!r}: {target} is a frozen graph, which has no signatures. Leave it out."
        )
    options = {} if signature is None else {"signature": signature}
    return _FILE_RUNNERS[kind.name](target, spec, trust=trust, **options)


def _choose_function(model: Any, spec: InputSpec, signature: str) -> InputSpec:
    """Return a spec that names a function of a module as the one to call."""
    if not has_functions(model):
        raise OptionError(f"signature={signature!r}: a {qualified_name(model)} has no signatures. Leave it out.")
    choose_function(model, signature)
    provenance = {**spec.provenance, SIGNATURE: signature}
    return InputSpec(dict(spec), task=spec.task, outputs=spec.outputs, provenance=provenance, proof=spec.proof)
