"""Opens a JAX function, module, exported function or file as a runner."""

import os
from typing import Any

import jax
import jax.export

from dummyio.errors import OptionError, SourceError, build_trust_error
from dummyio.input_spec import InputSpec
from dummyio_jax.calling.exported_function import open_exported
from dummyio_jax.calling.exported_module import find_exported_dangers
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
    TrustError
        for a file that calls code outside of itself, unless `trust`.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: a JAX target has one engine, JAX; leave the engine out.")
    if isinstance(target, (str, os.PathLike)):
        path, target = target, open_exported(target)
        dangers = [] if trust else _find_dangers(path, target)
        if dangers:
            raise build_trust_error(path, dangers)
    if isinstance(target, jax.export.Exported):
        return ExportedRunner(target, spec)
    return FunctionRunner(to_pure_function(target), spec)


def _find_dangers(path: str | os.PathLike[str], exported: jax.export.Exported) -> list[str]:
    try:
        return find_exported_dangers(exported.mlir_module_serialized)
    except SourceError as error:  # of a large module, which is read here first
        raise SourceError(f"{path}: {error}") from error
