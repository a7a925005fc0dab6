"""Call functions, modules and exported functions with named NumPy feeds."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.export
import numpy as np

from dummyio.dtypes import DType
from dummyio.errors import DummyioError, OptionError, RunError
from dummyio.materialize import convert
from dummyio.runner import Port, check_names
from dummyio.spec import InputSpec, OutputSpec
from dummyio.tensor import build, flatten
from dummyio_jax.dtypes import from_native
from dummyio_jax.exported import exported_arguments, exported_inputs, exported_model, exported_outputs, open_exported
from dummyio_jax.models import as_model
from dummyio_jax.precision import enough_bits
from dummyio_jax.tensors import from_numpy
from dummyio_jax.trees import result_names

__all__ = ["ExportedRunner", "FunctionRunner", "runner"]

Array = np.ndarray[Any, Any]


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
    return FunctionRunner(as_model(target), spec)


class FunctionRunner:
    """A function or a module; it declares nothing."""

    inputs: tuple[Port, ...] | None = None
    outputs: tuple[Port, ...] | None = None

    def __init__(self, function: Callable[[dict[str, Any]], Any], spec: InputSpec | None) -> None:
        """Keep a function of named inputs, and the spec that says how these nest; without one they go in flat."""
        self.engine = f"jax {jax.__version__}"
        # Compiled once for each set of sizes, and not operation by operation, which takes many times as long.
        self._compiled: Callable[[dict[str, Any]], Any] | None = jax.jit(partial(function))
        self._function = function
        self._spec = spec

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call it; see `dummyio.runner.Runner`."""
        own = {name: np.array(values) for name, values in feeds.items()}  # JAX may keep the memory that it is given
        if self._spec is not None:
            check_names(own, [path for path, _ in self._spec.leaves])
        try:
            with enough_bits(DType.of(values.dtype) for values in own.values()):
                result = self._run(self._nested(own))
                declared = tuple(output.name for output in self._spec.outputs) if self._spec is not None else ()
                return {name: np.asarray(value) for name, value in result_names(result, declared).items()}
        except DummyioError as error:
            raise RunError(f"{self.engine} cannot take these feeds: {error}") from error
        except Exception as error:
            raise RunError(f"{self.engine} failed: {type(error).__name__}: {error}") from error

    def _run(self, inputs: dict[str, Any]) -> Any:
        """Run compiled; as it is written where it asks for values, which only then are there."""
        if self._compiled is not None:
            try:
                return self._compiled(inputs)
            except jax.errors.JAXTypeError:
                self._compiled = None
        return self._function(inputs)

    def _nested(self, feeds: dict[str, Array]) -> dict[str, Any]:
        if self._spec is not None:
            return convert(self._spec, feeds, "jax")
        return {path: from_numpy(values, DType.of(values.dtype)) for path, values in feeds.items()}


class ExportedRunner(FunctionRunner):
    """An exported function, which says what it takes and returns."""

    def __init__(self, exported: jax.export.Exported, spec: InputSpec | None) -> None:
        """Keep what was exported; a spec gives its inputs their paths, of which positional ones have none."""
        spec = spec if spec is not None else InputSpec(exported_inputs(exported))
        super().__init__(exported_model(exported), spec)
        declared = tuple(output.name for output in spec.outputs)
        self.inputs = _ports(exported, spec)
        self.outputs = tuple(_port(output) for output in exported_outputs(exported, declared))


def _ports(exported: jax.export.Exported, spec: InputSpec) -> tuple[Port, ...]:
    """Return the inputs in the exported function's order, by the spec's paths where it is this function's spec."""
    paths = {path: path for path, _ in spec.leaves}
    own = jax.tree.leaves(exported_arguments(exported, {name: build(node, paths, name) for name, node in spec.items()}))
    if len(own) != len(exported.in_avals):  # a spec of something else: what differs, a comparison of ports shows
        own = [path for path, _ in flatten(exported_inputs(exported).items())]
    return tuple(
        Port(path, _declared_shape(aval.shape), from_native(aval.dtype))
        for path, aval in zip(own, exported.in_avals, strict=True)
    )


def _declared_shape(shape: Sequence[Any]) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size) for size in shape)


def _port(output: OutputSpec) -> Port:
    return Port(output.name, None if output.shape is None else _declared_shape(output.shape), output.dtype)
