"""Functions that `jax.export` exported, in memory or in a ``.stablehlo`` file (the bytes of `Exported.serialize`)."""

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.export

from dummyio.errors import SourceError, format_error_line
from dummyio.spec.dims import Dim
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node
from dummyio_jax.calling.example_leaf import describe_leaf
from dummyio_jax.calling.exported_module import list_module_operators
from dummyio_jax.calling.output_specs import build_output_specs
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import build_node, to_builtin_containers

_VERIFIED = 1 << 26
"""Up to this many bytes, a module is read when its file is described; a larger one when it is opened to be run."""


def open_exported(path: str | os.PathLike[str]) -> jax.export.Exported:
    """Read a ``.stablehlo`` file.

    Raises
    ------
    SourceError
        if the file cannot be read, is damaged, or has a version that the installed JAX does not read.
    """
    place = Path(path)
    try:
        blob = place.read_bytes()
    except OSError as error:
        raise SourceError(f"{place}: {error.strerror or error}.") from error
    if blob[:2] == b"ML" or blob[:6] == b"module":
        raise SourceError(
            f"{place}: this is a bare StableHLO module, which does not contain the names and symbols of its inputs. Give the "
            "bytes that jax.export.Exported.serialize returned."
        )
    try:
        exported = jax.export.deserialize(bytearray(blob))
        if len(exported.mlir_module_serialized) <= _VERIFIED:
            # The tables can be intact although the module is not.
            list_module_operators(exported.mlir_module_serialized)
    except Exception as error:  # damaged bytes make JAX raise exceptions of many types
        raise SourceError(
            f"{place}: no exported JAX function can be read from this file ({format_error_line(error)}). It must hold "
            f"all bytes that jax.export.Exported.serialize returned; JAX {jax.__version__} may be too old for it."
        ) from error
    return exported


def describe_exported_inputs(exported: jax.export.Exported) -> dict[str, Node]:
    """Return name → node: keyword arguments by name, positional ones as ``arg0``, ``arg1``, since JAX keeps no names."""
    args, kwargs = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    named: dict[str, Any] = {**{f"arg{place}": value for place, value in enumerate(args)}, **kwargs}
    return {
        name: build_node(value, name, lambda path, leaf: describe_leaf(path, leaf, exact=True))
        for name, value in named.items()
        if value is not None
    }


def describe_exported_outputs(
    exported: jax.export.Exported,
    dims: Mapping[str, Dim] | None = None,
    declared: tuple[str, ...] = (),
    inputs: Collection[str] = (),
) -> tuple[OutputSpec, ...]:
    """Return the outputs; `dims`, `declared` and `inputs` as in `build_output_specs`."""
    return build_output_specs(jax.tree.unflatten(exported.out_tree, exported.out_avals), dims, declared, inputs)


def bind_exported_arguments(
    exported: jax.export.Exported, inputs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return named inputs as positional and keyword arguments: an input that is not a keyword goes by position."""
    args, kwargs = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    positional = iter([value for name, value in inputs.items() if name not in kwargs])
    named = {name: to_builtin_containers(value) for name, value in inputs.items() if name in kwargs}
    named |= {name: None for name, value in kwargs.items() if value is None}
    return tuple(None if arg is None else next(positional, None) for arg in args), named


def wrap_exported(exported: jax.export.Exported) -> Model:
    """Return an exported function as a function of named inputs."""

    def function(**inputs: Any) -> Any:
        args, kwargs = bind_exported_arguments(exported, inputs)
        return exported.call(*args, **kwargs)

    return Model(exported.fun_name, function, None, "exported")
