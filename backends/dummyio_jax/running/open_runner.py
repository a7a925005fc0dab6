"""Opens a JAX function, module, exported function or file as a runner."""

import os
from typing import Any

import jax
import jax.export

from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec
from dummyio_jax.calling.exported_function import open_exported
from dummyio_jax.calling.pure_function import to_pure_function
from dummyio_jax.running.function_runner import ExportedRunner, FunctionRunner


def open_runner(target: Any, spec: InputSpec | None, engine: str | None, *, trust: bool = False) -> FunctionRunner:
    """Return a function, a Flax module, a `jax.export.Exported` or a ``.stablehlo`` file as a runner.

    Raises
    ------
    OptionError
        for any `engine`: JAX is the only one.
    SourceError
        for an object that cannot be called, and for a file that cannot be read.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: a JAX target has one engine, JAX; leave the engine out.")
    if isinstance(target, (str, os.PathLike)):
        target = open_exported(target)
    if isinstance(target, jax.export.Exported):
        return ExportedRunner(target, spec)
    return FunctionRunner(to_pure_function(target), spec)
