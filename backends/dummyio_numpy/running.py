"""Plain functions as runners: they take NumPy arrays by name, nested as the spec is, and return arrays."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from dummyio.backend.result_names import name_outputs
from dummyio.errors import OptionError, RunError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import DeclaredTensor, check_feed_names
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


def open_runner(target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> FunctionRunner:
    """Return a function as a runner; raise `OptionError` for any `engine`, since a function has no other.

    It was given as an object, so that it runs without `trust` too.
    """
    del trust
    if engine is not None:
        raise OptionError(f"engine={engine!r}: a Python function has no engines; leave the engine out.")
    return FunctionRunner(target, spec)
