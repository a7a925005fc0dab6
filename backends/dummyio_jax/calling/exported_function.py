"""What `jax.export` made, in memory or in a ``.stablehlo`` file: the bytes that `Exported.serialize` returns."""

from __future__ import annotations

import os
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.export

from dummyio.errors import SourceError
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Node
from dummyio_jax.calling.example_leaf import leaf_of
from dummyio_jax.calling.output_specs import output_specs
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import node_of, to_builtin_containers

__all__ = ["exported_arguments", "exported_inputs", "exported_model", "exported_outputs", "open_exported"]

_VERIFIED = 1 << 26
"""Up to as many bytes a module is read in full when its file is opened; a larger one when it is first called."""


def open_exported(path: str | os.PathLike[str]) -> jax.export.Exported:
    """Return what a ``.stablehlo`` file holds.

    Raises
    ------
    SourceError
        for what cannot be read, is damaged, or is of a version that this JAX does not know.
    """
    place = Path(path)
    try:
        blob = place.read_bytes()
    except OSError as error:
        raise SourceError(f"{place}: {error.strerror or error}.") from error
    if blob[:2] == b"ML" or blob[:6] == b"module":
        raise SourceError(
            f"{place}: this is a bare StableHLO module, which says nothing of its inputs' names and symbols. Give what "
            "jax.export.Exported.serialize returned."
        )
    try:
        exported = jax.export.deserialize(bytearray(blob))
        if len(exported.mlir_module_serialized) <= _VERIFIED:
            exported.mlir_module()  # the tables may be whole where the module is not
    except (
        struct.error,
        ValueError,
        TypeError,
        AttributeError,
        IndexError,
        KeyError,
        RuntimeError,
        OverflowError,
    ) as error:
        raise SourceError(
            f"{place}: no exported function of JAX can be read from it ({type(error).__name__}: {error}). Such a file holds what "
            f"jax.export.Exported.serialize returned, and is whole; this is JAX {jax.__version__}: a file may be of a newer one."
        ) from error
    return exported


def exported_inputs(exported: jax.export.Exported) -> dict[str, Node]:
    """Return name → node: keywords by their names, the rest as ``arg0``, ``arg1``, for that is all that is kept."""
    args, kwargs = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    named: dict[str, Any] = {**{f"arg{place}": value for place, value in enumerate(args)}, **kwargs}
    return {
        name: node_of(value, name, lambda path, leaf: leaf_of(path, leaf, exact=True))
        for name, value in named.items()
        if value is not None
    }


def exported_outputs(exported: jax.export.Exported, declared: tuple[str, ...] = ()) -> tuple[OutputSpec, ...]:
    """Return the outputs that it declares; `declared` names those that have none, as in `name_results`."""
    return output_specs(jax.tree.unflatten(exported.out_tree, exported.out_avals), declared=declared)


def exported_arguments(
    exported: jax.export.Exported, inputs: Mapping[str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Return named inputs as an exported function takes them: those that are no keyword of it go by place."""
    args, kwargs = jax.tree.unflatten(exported.in_tree, exported.in_avals)
    placed = iter([value for name, value in inputs.items() if name not in kwargs])
    named = {name: to_builtin_containers(value) for name, value in inputs.items() if name in kwargs}
    named |= {name: None for name, value in kwargs.items() if value is None}
    return tuple(None if arg is None else next(placed, None) for arg in args), named


def exported_model(exported: jax.export.Exported) -> Model:
    """Return an exported function as a function of named inputs."""

    def function(**inputs: Any) -> Any:
        args, kwargs = exported_arguments(exported, inputs)
        return exported.call(*args, **kwargs)

    return Model(exported.fun_name, function, None, "exported")
