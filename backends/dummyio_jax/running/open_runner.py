"""Moved out of backends/dummyio_jax/running/function_runner.py."""

from __future__ import annotations

import os
from typing import Any

import jax
import jax.export

from dummyio.errors import OptionError
from dummyio.input_spec import InputSpec
from dummyio_jax.calling.exported_function import open_exported
from dummyio_jax.calling.pure_function import to_pure_function
from dummyio_jax.running.function_runner import ExportedRunner, FunctionRunner


def runner(target: Any, spec: InputSpec | None, engine: str | None) -> FunctionRunner:
    """Return a function, a Flax module, a `jax.export.Exported` or a ``.stablehlo`` file as a runner.

    Raises
    ------
    OptionError
        for any `engine`: JAX runs them all.
    SourceError
        for what cannot be called, and for files that cannot be read.
    """
    if engine is not None:
        raise OptionError(f"engine={engine!r}: JAX has no other; leave the engine out.")
    if isinstance(target, (str, os.PathLike)):
        return ExportedRunner(open_exported(target), spec)
    if isinstance(target, jax.export.Exported):
        return ExportedRunner(target, spec)
    return FunctionRunner(to_pure_function(target), spec)
