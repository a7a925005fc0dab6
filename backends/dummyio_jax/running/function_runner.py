"""Call functions, modules and exported functions with named NumPy feeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.export
import numpy as np

from dummyio.errors import DummyioError, RunError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import build_nested, iterate_leaves
from dummyio.typing import Array
from dummyio_jax.calling.exported_function import exported_arguments, exported_inputs, exported_model, exported_outputs
from dummyio_jax.calling.pytrees import result_names
from dummyio_jax.dtypes import from_native
from dummyio_jax.precision import enable_wide_dtypes
from dummyio_jax.tensors import from_numpy

__all__ = ["ExportedRunner", "FunctionRunner"]


class FunctionRunner:
    """A function or a module; it declares nothing."""

    inputs: tuple[DeclaredTensor, ...] | None = None
    outputs: tuple[DeclaredTensor, ...] | None = None

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
            check_feed_names(own, [path for path, _ in self._spec.leaves])
        try:
            with enable_wide_dtypes(DType.of(values.dtype) for values in own.values()):
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
            return to_framework(self._spec, feeds, "jax")
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


def _ports(exported: jax.export.Exported, spec: InputSpec) -> tuple[DeclaredTensor, ...]:
    """Return the inputs in the exported function's order, by the spec's paths where it is this function's spec."""
    paths = {path: path for path, _ in spec.leaves}
    own = jax.tree.leaves(
        exported_arguments(exported, {name: build_nested(node, paths, name) for name, node in spec.items()})
    )
    if len(own) != len(exported.in_avals):  # a spec of something else: what differs, a comparison of ports shows
        own = [path for path, _ in iterate_leaves(exported_inputs(exported).items())]
    return tuple(
        DeclaredTensor(path, _declared_shape(aval.shape), from_native(aval.dtype))
        for path, aval in zip(own, exported.in_avals, strict=True)
    )


def _declared_shape(shape: Sequence[Any]) -> tuple[int | str, ...]:
    return tuple(size if isinstance(size, int) else str(size) for size in shape)


def _port(output: OutputSpec) -> DeclaredTensor:
    return DeclaredTensor(output.name, None if output.shape is None else _declared_shape(output.shape), output.dtype)
