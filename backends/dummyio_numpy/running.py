"""What takes NumPy arrays by name, and returns arrays: plain functions, whose inputs are nested as the spec is, and TFLite files."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from dummyio.backend.result_names import name_outputs
from dummyio.errors import OptionError, RunError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import DeclaredTensor, Runner, check_feed_names
from dummyio.tflite.runner import TfliteRunner
from dummyio.typing import Array


class FunctionRunner:
    """A function of named arrays; it declares nothing."""

    inputs: tuple[DeclaredTensor, ...] | None = None
    outputs: tuple[DeclaredTensor, ...] | None = None

    def __init__(self, function: Callable[..., Any], spec: InputSpec | None) -> None:
        """Keep the function, and the spec that nests its inputs; without a spec, feeds are passed flat."""
        self.engine = f"python {getattr(function, '__qualname__', type(function).__qualname__)}"
        self._function = function
        self._spec = spec

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the function; see `dummyio.running.runner.Runner`."""
        inputs: dict[str, Any] = {
            name: np.array(values) for name, values in feeds.items()
        }  # it may write to its inputs
        declared: list[str] = []
        if self._spec is not None:
            check_feed_names(feeds, [path for path, _ in self._spec.leaves])
            inputs = to_framework(self._spec, inputs, "np")
            declared = [output.name for output in self._spec.outputs]
        try:
            result = self._function(**inputs)
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error
        return {name: np.asarray(value) for name, value in name_outputs(result, declared).items()}


def open_runner(
    target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False, signature: str | None = None
) -> Runner:
    """Return a function or a TFLite file as a runner; errors of a file as `TfliteRunner`.

    A function was given as an object, so that it runs without `trust` too.

    Raises
    ------
    OptionError
        for any `engine`, since neither has another one, and for a `signature` of a function.
    """
    if isinstance(target, Path):
        if engine is not None:
            raise OptionError(f"engine={engine!r}: a TFLite file has one engine, LiteRT; leave the option out.")
        return TfliteRunner(target, spec, trust=trust, signature=signature)
    if engine is not None:
        raise OptionError(f"engine={engine!r}: a Python function has no engines; leave the engine out.")
    if signature is not None:
        raise OptionError(f"signature={signature!r}: a Python function has no signatures; leave the option out.")
    return FunctionRunner(target, spec)
