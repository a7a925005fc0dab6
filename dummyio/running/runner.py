"""The interface of a runner: a model or an artifact as a function of named NumPy feeds.

A backend that runs models has the capability ``runner(target, spec, engine, trust=False)``; the target decides which backend.
Feeds and inputs are named by the paths of the spec (``past_key_values.0.key``), whatever names the artifact uses.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from dummyio.backend.formats import detect_path_format, is_present, list_suffixes
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError, RunError, SourceError, suggest_names
from dummyio.option_types import convert_option
from dummyio.running.file_options import refuse_unused
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, Axes, FilePath

if TYPE_CHECKING:
    from dummyio.input_spec import InputSpec


@dataclass(frozen=True, slots=True)
class DeclaredTensor:
    """An input or an output as the artifact declares it.

    A size is an int, the name of a symbol, or None for a dynamic axis without a name. `shape` and `dtype` are None if the
    artifact declares none.
    """

    name: str
    shape: Axes | None = None
    dtype: DType | None = None


class Runner(Protocol):
    """A model or an artifact, ready to be called.

    A model may also have ``in_double(feeds)``, its outputs in double precision, ``in_precision(feeds, preset)``, its outputs with all
    numbers rounded, ``computes_in``, the narrowest dtype of its real numbers, and ``random_arguments``, those that it draws at random
    because they are not inputs; a file ``sorts_inputs``, if its format sorts them by name; the parts of a model ``leaves_out_outputs``, if
    none of them computes what the whole model makes of all.
    """

    @property
    def engine(self) -> str:
        """The runtime and its version: ``"onnxruntime 1.31.1"``."""
        ...

    @property
    def inputs(self) -> tuple[DeclaredTensor, ...] | None:
        """The declared inputs in their own order, by the spec's paths; None if nothing is declared."""
        ...

    @property
    def outputs(self) -> tuple[DeclaredTensor, ...] | None:
        """The declared outputs in their own order; None if nothing is declared."""
        ...

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return output name → array, in order; the feeds are not changed.

        Raises
        ------
        RunError
            if the target does not run on these feeds: missing or unknown names, refused shapes or dtypes, or a failure of
            the runtime; the message has the runtime's message, and its exception is chained.
        """
        ...


def open_runner(
    target: Any,
    spec: InputSpec | None = None,
    *,
    engine: str | None = None,
    trust: bool = False,
    signature: str | None = None,
    custom_ops: FilePath | Sequence[FilePath] | None = None,
) -> Runner:
    """Return `target` as a function of named NumPy feeds.

    Parameters
    ----------
    target
        A path (``.onnx``, ``.pt2``, ``.tflite``, ``.pb``, ``.stablehlo``, a SavedModel folder), a model of a framework
        (``nn.Module``, Keras model, ``tf.function``, JAX function or module, ``ModelProto``), or a function of feeds.
    spec
        The inputs. Targets with nested inputs (modules, functions) need it; for a file it gives the inputs their paths.
    engine
        Another runtime than the default, if there are several: ``"reference"`` for the reference evaluator of ONNX.
    trust
        Whether a file may contain what runs code or touches files when it is opened or run; ``SECURITY.md`` lists it for
        each format. The operators of a model that is given as an object are the caller's own.
    signature
        The one to call, of a SavedModel, a TFLite file or a ``tf.Module`` with several; by default the one that `spec` was
        described from, else ``serving_default``.
    custom_ops
        Libraries of custom operators for ONNX Runtime, such as ``"libmy_ops.so"``. Their code runs.

    Returns
    -------
    Runner
        The target, opened by the backend of its framework.

    Raises
    ------
    SourceError
        if the target does not exist, has another content than its suffix declares, or cannot be run.
    TrustError
        if the file can run code or touch files, unless `trust`.
    OptionError
        if the target does not have this engine or this signature, or takes no libraries, or one is not a library.

    Examples
    --------
    >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))})
    >>> runner = dummyio.open_runner(lambda x: {"total": x.sum(axis=1)}, spec)
    >>> runner(spec.feeds())["total"].shape
    (2,)
    """
    trust = convert_option("trust", trust, bool)
    framework = detect_framework(target) or ("np" if callable(target) else None)
    if isinstance(target, (str, os.PathLike)):
        target = Path(target)
        framework = _framework_of_path(target)
    elif framework is None:
        raise SourceError(f"a {qualified_name(target)} cannot be run: give a path, a model or a function of feeds.")
    backend: Any = load_backend(framework)
    opening = getattr(backend, "runner", None)
    if opening is None:
        raise OptionError(f"{target!r} cannot be opened: the backend {framework!r} does not run models.")
    options = {"signature": convert_option("signature", signature, str | None), "custom_ops": custom_ops}
    given = {name: value for name, value in options.items() if value is not None}
    refuse_unused(given, inspect.signature(opening).parameters, target)
    # A backend whose artifacts cannot run code needs no such parameter.
    runner: Runner = opening(target, spec, engine, **({"trust": True} if trust else {}), **given)
    return runner


def check_feed_names(feeds: Mapping[str, Array], paths: Collection[str]) -> None:
    """Raise `RunError` if the names of the feeds are not `paths`: the first check of every runner."""
    missing = [path for path in paths if path not in feeds]
    if missing:
        raise RunError(f"no feed for {', '.join(missing)}: the inputs are {', '.join(paths)}.")
    unknown = next((path for path in feeds if path not in paths), None)
    if unknown is not None:
        raise RunError(f"{unknown!r} is not an input of this model. {suggest_names(unknown, paths)}")


def _framework_of_path(path: Path) -> str:
    if not is_present(path):
        raise SourceError(f"{path}: no such file or folder.")
    found = detect_path_format(path)
    if found is None or found.run_by is None:
        raise SourceError(
            f"{path}: this cannot be run. Give a {list_suffixes('run_by')} file, or the folder of a SavedModel."
        )
    return found.run_by
