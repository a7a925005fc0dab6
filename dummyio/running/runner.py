"""One way to call anything: a model or an artifact as a function of named NumPy feeds.

A backend that runs something has the capability ``runner(target, spec, engine)``; which backend that is follows from the
target. Feeds and inputs go by the paths of the spec (``past_key_values.0.key``), whatever the artifact calls them.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dummyio.backend.formats import FORMATS, detect_path_framework
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError, RunError, SourceError, suggest_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Array

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec

__all__ = ["DeclaredTensor", "Runner", "check_feed_names", "open_runner"]


@dataclass(frozen=True, slots=True)
class DeclaredTensor:
    """An input or an output as the artifact declares it.

    Sizes are ints, names of symbols, or None where the artifact says only that the size is free. `shape` and `dtype` are
    None where it declares none.
    """

    name: str
    shape: tuple[int | str | None, ...] | None = None
    dtype: DType | None = None


class Runner(Protocol):
    """A model or an artifact, ready to be called."""

    @property
    def engine(self) -> str:
        """What runs it, with its version: ``"onnxruntime 1.31.1"``."""
        ...

    @property
    def inputs(self) -> tuple[DeclaredTensor, ...] | None:
        """What it declares to take, in its own order, by the spec's paths; None where it declares nothing."""
        ...

    @property
    def outputs(self) -> tuple[DeclaredTensor, ...] | None:
        """What it declares to return, in its own order; None where it declares nothing."""
        ...

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return name → array, in order; the feeds stay as they are.

        Raises
        ------
        RunError
            where it does not run on these feeds: missing or unknown names, shapes or dtypes that it refuses, or a failure
            of its own; the runtime's message is kept, and its exception chained.
        """
        ...


def open_runner(target: Any, spec: InputSpec | None = None, *, engine: str | None = None) -> Runner:
    """Return `target` as a function of named NumPy feeds.

    Parameters
    ----------
    target
        A path (``.onnx``, ``.pt2``, ``.tflite``, ``.pb``, ``.stablehlo``, a SavedModel's folder), a model of a framework's
        (``nn.Module``, Keras model, ``tf.function``, JAX function or module, ``ModelProto``), or a function of feeds.
    spec
        The inputs. What takes nested inputs (modules, functions) needs it; for a file it gives the inputs their paths.
    engine
        Another runtime than the usual one, where there are several: ``"reference"`` for ONNX's own evaluator.

    Raises
    ------
    SourceError
        for what is not there, is not what its suffix says, or cannot be run.
    OptionError
        for an engine that the target does not have.
    """
    if isinstance(target, (str, os.PathLike)):
        path = Path(target)
        return _opened(_of_path(path), path, spec, engine)
    framework = detect_framework(target)
    if framework is None and callable(target):
        return _opened("np", target, spec, engine)
    if framework is None:
        raise SourceError(f"a {qualified_name(target)} cannot be run: give a path, a model or a function of feeds.")
    return _opened(framework, target, spec, engine)


def check_feed_names(feeds: Mapping[str, Array], paths: Collection[str]) -> None:
    """Raise `RunError` for feeds that lack one of the inputs at `paths`, or have another: what every runner looks at first."""
    missing = [path for path in paths if path not in feeds]
    if missing:
        raise RunError(f"no feed for {', '.join(missing)}: the inputs are {', '.join(paths)}.")
    unknown = next((path for path in feeds if path not in paths), None)
    if unknown is not None:
        raise RunError(f"{unknown!r} is no input of this model. {suggest_names(unknown, paths)}")


def _of_path(path: Path) -> str:
    if not path.exists():
        raise SourceError(f"{path}: no such file or folder.")
    framework = detect_path_framework(path)
    if framework is None:
        suffixes = ", ".join(kind.suffix for kind in FORMATS.values() if kind.suffix)
        raise SourceError(f"{path}: what can be run are {suffixes}, and the folder of a SavedModel.")
    return framework


def _opened(framework: str, target: Any, spec: InputSpec | None, engine: str | None) -> Runner:
    backend: Any = load_backend(framework)
    opening = getattr(backend, "runner", None)
    if opening is None:
        raise OptionError(f"the backend {framework!r} runs no models: {target!r} cannot be opened.")
    runner: Runner = opening(target, spec, engine)
    return runner
