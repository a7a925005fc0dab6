"""Functions, modules and exported functions, called with named NumPy feeds."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.export
import numpy as np

from dummyio.errors import DummyioError, RunError, format_error_line
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import to_framework
from dummyio.running.runner import DeclaredTensor, check_feed_names
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import build_nested, iterate_leaves
from dummyio.typing import Array
from dummyio_jax.calling.exported_function import (
    bind_exported_arguments,
    describe_exported_inputs,
    describe_exported_outputs,
    wrap_exported,
)
from dummyio_jax.calling.pytrees import name_results
from dummyio_jax.dtypes import from_native
from dummyio_jax.precision import enable_wide_dtypes
from dummyio_jax.tensors import from_numpy

_QUICK = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
"""Options of XLA with which it compiles in half the time."""


class FunctionRunner:
    """A function or a module; it declares nothing."""

    inputs: tuple[DeclaredTensor, ...] | None = None
    outputs: tuple[DeclaredTensor, ...] | None = None

    def __init__(
        self, function: Callable[[dict[str, Any]], Any], spec: InputSpec | None, *, is_quick: bool = False
    ) -> None:
        """Keep a function of named inputs, and the spec that nests them; without a spec, feeds are passed flat.

        `is_quick` compiles without costly optimizations, for a function that is run once for each set of sizes.
        """
        self.engine = f"jax {jax.__version__}"
        # Compiled once per set of sizes: running operation by operation takes many times as long.
        self._compiled: Callable[[dict[str, Any]], Any] | None = jax.jit(
            partial(function), compiler_options=_QUICK if is_quick else None
        )
        self._function = function
        self._spec = spec

    def __call__(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Call the function; see `dummyio.running.runner.Runner`."""
        own = {name: np.array(values) for name, values in feeds.items()}  # JAX may keep the memory of its arguments
        if self._spec is not None:
            check_feed_names(own, [path for path, _ in self._spec.leaves])
        try:
            with enable_wide_dtypes(DType.of(values.dtype) for values in own.values()):
                result = self._run(self._nest(own))
                declared = tuple(output.name for output in self._spec.outputs) if self._spec is not None else ()
                return {name: np.asarray(value) for name, value in name_results(result, declared, feeds.keys()).items()}
        except DummyioError as error:
            raise RunError(f"{self.engine} cannot take these feeds: {error}") from error
        except Exception as error:
            raise RunError(f"{self.engine} failed: {format_error_line(error)}") from error

    def _run(self, inputs: dict[str, Any]) -> Any:
        """Run the compiled function; run it uncompiled if its code needs concrete values."""
        if self._compiled is not None:
            try:
                return self._compiled(inputs)
            except jax.errors.JAXTypeError:
                self._compiled = None
        return self._function(inputs)

    def _nest(self, feeds: dict[str, Array]) -> dict[str, Any]:
        if self._spec is not None:
            return to_framework(self._spec, feeds, "jax")
        return {path: from_numpy(values, DType.of(values.dtype)) for path, values in feeds.items()}


class ExportedRunner(FunctionRunner):
    """An exported function, which declares its inputs and outputs."""

    sorts_inputs = True
    """Named arguments are in the order of the alphabet, whatever that of the function: JAX flattens a dict so."""

    def __init__(self, exported: jax.export.Exported, spec: InputSpec | None, *, is_quick: bool = False) -> None:
        """Keep the exported function, as `FunctionRunner`; a spec gives paths to its inputs, since JAX keeps no names of positional ones."""
        spec = spec if spec is not None else InputSpec(describe_exported_inputs(exported))
        super().__init__(wrap_exported(exported), spec, is_quick=is_quick)
        avals = zip(_input_paths(exported, spec), exported.in_avals, strict=True)
        self.inputs = tuple(_declare_tensor(path, aval.shape, from_native(aval.dtype)) for path, aval in avals)
        names = tuple(output.name for output in spec.outputs)
        outputs = describe_exported_outputs(exported, declared=names, inputs=[tensor.name for tensor in self.inputs])
        self.outputs = tuple(_declare_tensor(output.name, output.shape, output.dtype) for output in outputs)


def _input_paths(exported: jax.export.Exported, spec: InputSpec) -> list[str]:
    """Return the paths of the inputs in the function's order: those of the spec if it fits the function."""
    paths = {path: path for path, _ in spec.leaves}
    inputs = {name: build_nested(node, paths, name) for name, node in spec.items()}
    own: list[str] = jax.tree.leaves(bind_exported_arguments(exported, inputs))
    if len(own) == len(exported.in_avals):
        return own
    return [path for path, _ in iterate_leaves(describe_exported_inputs(exported).items())]


def _declare_tensor(name: str, shape: Sequence[Any] | None, dtype: DType | None) -> DeclaredTensor:
    sizes = None if shape is None else tuple(size if isinstance(size, int) else str(size) for size in shape)
    return DeclaredTensor(name, sizes, dtype)
