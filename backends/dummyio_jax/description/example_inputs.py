"""Example arguments: what each of them is, as a tensor of the sizes that it has."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dummyio.errors import DimError, OptionError, SourceError, suggest_names
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size, evaluate_size
from dummyio.spec.tensor_spec import Node, TensorSpec
from dummyio_jax.calling.example_leaf import leaf_of
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import node_of

__all__ = ["apply_dynamic_option", "example_inputs"]


def example_inputs(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Node]:
    """Return name → node for example arguments, by the names that the signature gives them; None is left out.

    Raises
    ------
    SourceError
        for what the signature does not take, and for what is no array.
    """
    named: dict[str, Any]
    if model.signature is None:
        named = {**{f"arg{place}": value for place, value in enumerate(args)}, **kwargs}
        if args:
            raise SourceError(f"{model.name} has no signature to read: give its example arguments by name, as kwargs.")
    else:
        try:
            bound = model.signature.bind(*args, **kwargs)
        except TypeError as error:
            raise SourceError(
                f"{model.name}{model.signature} does not take these example arguments: {error}."
            ) from error
        named = _flat(model.signature, bound.arguments)
    return {name: node_of(value, name, leaf_of) for name, value in named.items() if value is not None}


def _flat(signature: inspect.Signature, arguments: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for name, value in arguments.items():
        many = signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD
        named |= value if many else {name: value}
    return named


def apply_dynamic_option(leaves: Mapping[str, TensorSpec], dynamic: Mapping[str, Any]) -> dict[str, tuple[Size, ...]]:
    """Return the shapes with the symbols that the option ``dynamic`` names; an axis of None keeps its size.

    Raises
    ------
    OptionError
        for a path that is no input, for another number of axes, and for one name on two sizes.
    """
    unknown = next((path for path in dynamic if path not in leaves), None)
    if unknown is not None:
        raise OptionError(f"dynamic[{unknown!r}]: no input has that path. {suggest_names(unknown, leaves)}")
    dims: dict[str, Dim] = {}
    for path, names in dynamic.items():
        shape = leaves[path].shape
        if not isinstance(names, (tuple, list)) or len(names) != len(shape):
            raise OptionError(f"dynamic[{path!r}]={names!r}: give a name or None for each of its {len(shape)} axes.")
        for name, size in zip(names, shape, strict=True):
            if isinstance(name, str) and name.isidentifier() and isinstance(size, int):
                known = dims.setdefault(name, Dim(name, size, min=min(size, 1)))
                if known.size != size:
                    raise OptionError(
                        f"dynamic: {name!r} is {known.size} in one input and {size} in {path!r}: use two names."
                    )
    shapes = {path: leaf.shape for path, leaf in leaves.items()}
    for path, names in dynamic.items():
        axes = zip(names, shapes[path], strict=True)
        shapes[path] = tuple(size if name is None else _said(path, name, size, dims) for name, size in axes)
    return shapes


def _said(path: str, name: Any, size: Size, dims: Mapping[str, Dim]) -> Size:
    try:
        said = parse_size(str(name), dims)
    except DimError as error:
        raise OptionError(f"dynamic[{path!r}]: {error}") from error
    if evaluate_size(said) != evaluate_size(size):
        raise OptionError(f"dynamic[{path!r}]: {name} is {evaluate_size(said)} by the other examples, and {size} here.")
    return said
