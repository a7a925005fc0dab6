"""Inputs from example arguments, and the names that the option ``dynamic`` gives to their axes."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from dummyio.errors import DimError, OptionError, SourceError, suggest_names
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, Size, evaluate_size
from dummyio.spec.tensor_spec import Node, TensorSpec
from dummyio_jax.calling.example_leaf import describe_leaf
from dummyio_jax.calling.pure_function import Model
from dummyio_jax.calling.pytrees import build_node


def bind_example_inputs(model: Model, args: Sequence[Any], kwargs: Mapping[str, Any]) -> dict[str, Node]:
    """Return name → node for example arguments, with the names of the signature; None is left out if it is a default.

    Raises
    ------
    SourceError
        if the signature does not take these arguments, and for a value that is not an array.
    """
    if model.signature is not None:
        named = _bind_arguments(model, model.signature, args, kwargs)
    elif args:
        raise SourceError(f"{model.name} has no signature to read: give its example arguments by name, as kwargs.")
    else:
        named = dict(kwargs)
    parameters = {} if model.signature is None else model.signature.parameters
    defaults = {name for name, parameter in parameters.items() if parameter.default is None}
    return {
        name: build_node(value, name, describe_leaf)
        for name, value in named.items()
        if value is not None or name not in defaults
    }


def _bind_arguments(
    model: Model, signature: inspect.Signature, args: Sequence[Any], kwargs: Mapping[str, Any]
) -> dict[str, Any]:
    try:
        arguments = signature.bind(*args, **kwargs).arguments
    except TypeError as error:
        raise SourceError(f"{model.name}{signature} does not take these example arguments: {error}.") from error
    named: dict[str, Any] = {}
    for name, value in arguments.items():
        named |= value if signature.parameters[name].kind is inspect.Parameter.VAR_KEYWORD else {name: value}
    return named


def apply_dynamic_option(leaves: Mapping[str, TensorSpec], dynamic: Mapping[str, Any]) -> dict[str, tuple[Size, ...]]:
    """Return the shapes with the dims that the option ``dynamic`` names; an axis of None keeps its size.

    Raises
    ------
    OptionError
        for a path that is not an input, a wrong number of axes, or one name for two sizes.
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
        shapes[path] = tuple(size if name is None else _parse_axis(path, name, size, dims) for name, size in axes)
    return shapes


def _parse_axis(path: str, name: Any, size: Size, dims: Mapping[str, Dim]) -> Size:
    try:
        parsed = parse_size(str(name), dims)
    except DimError as error:
        raise OptionError(f"dynamic[{path!r}]: {error}") from error
    if evaluate_size(parsed) != evaluate_size(size):
        raise OptionError(
            f"dynamic[{path!r}]: {name} is {evaluate_size(parsed)} in the other examples, and {size} here."
        )
    return parsed
