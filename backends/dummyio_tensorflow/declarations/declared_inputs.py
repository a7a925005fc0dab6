"""What a model or a file declares of its inputs, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import DTypeError, OptionError, SourceError, suggest_names
from dummyio.spec.dtypes import DType
from dummyio.typing import Axes
from dummyio_tensorflow.dtypes import from_native

__all__ = ["Declared", "Leaf", "declared_from_concrete_function", "leaves_from_nest"]

_DTYPE = "float32"


@dataclass(frozen=True, slots=True)
class Leaf:
    """One input as it is declared; sizes that are free are None."""

    axes: Axes
    dtype: DType


@dataclass
class Declared:
    """All inputs as they are declared."""

    label: str
    tree: dict[str, Any]
    """Top-level name → leaf, or dicts, lists and tuples of them."""

    callable: Any = None
    """What can be traced to see more: a model, a function; None for a file that is not run."""

    graph: Any = None
    """A graph that is at hand, with its placeholders named as the leaves."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    notes: dict[str, str] = field(default_factory=dict[str, str])
    outputs: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()
    """Inputs whose dtype or free sizes nothing declares."""

    ranges: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Inputs of which the numbers are known, quantized ones and pixels → from where up to below where."""


def leaf_of(spec: Any, name: str) -> Leaf:
    """Return a leaf of anything with a shape and a dtype."""
    shape: Any = tf.TensorShape(spec.shape)
    if shape.rank is None:
        raise SourceError(
            f"input {name!r} declares no shape, not even a number of axes. Say it with shapes={{{name!r}: ('batch_size', 3)}}."
        )
    try:
        return Leaf(tuple(shape.as_list()), from_native(tf.dtypes.as_dtype(spec.dtype)))
    except (DTypeError, TypeError) as error:
        raise SourceError(f"input {name!r} has dtype {spec.dtype}, which no array has: {error}") from error


def leaves_from_nest(tree: Any, name: str = "") -> Any:
    """Return a nest of specs or symbolic tensors as a nest of leaves."""
    if isinstance(tree, Mapping):
        return {str(key): leaves_from_nest(value, f"{name}.{key}" if name else str(key)) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        return (
            type(tree)(leaves_from_nest(value, f"{name}.{place}") for place, value in enumerate(tree))
            if type(tree)
            in (
                list,
                tuple,
            )
            else [leaves_from_nest(value, f"{name}.{place}") for place, value in enumerate(tree)]
        )
    if hasattr(tree, "shape") and hasattr(tree, "dtype"):
        return leaf_of(tree, name)
    raise SourceError(f"input {name!r} is no tensor but a {qualified_name(tree)}: only tensors can be described.")


def declared_from_concrete_function(function: Any, label: str) -> Declared:
    """Return what a concrete function declares: its signature, else its placeholders."""
    signature = function.structured_input_signature
    if signature is None:
        tree = {tensor.name.split(":")[0]: leaf_of(tensor, tensor.name) for tensor in function.inputs}
        return Declared(label, tree, callable=function)
    positional, keywords = signature
    names = _positional_names(function, positional)
    tree = {}
    for name, spec in zip(names, positional, strict=True):
        # A single argument that is a dict is the dict of inputs.
        flat = isinstance(spec, Mapping) and len(positional) == 1 and not keywords
        tree |= leaves_from_nest(spec) if flat else {name: leaves_from_nest(spec, name)}
    tree |= {name: leaves_from_nest(spec, name) for name, spec in keywords.items()}
    return Declared(label, tree, callable=function)


def _positional_names(function: Any, positional: Any) -> list[str]:
    parameters = list(getattr(function.function_type, "parameters", {}))
    names: list[str] = []
    for place, spec in enumerate(positional):
        own = parameters[place] if place < len(parameters) else f"input_{place}"
        names.append(own or str(getattr(spec, "name", None) or f"input_{place}"))
    return names


def choose_signature(signatures: Mapping[str, Any], signature: str | None, label: str) -> str:
    """Return the signature that is meant: the one asked for, the usual one, the only one.

    Raises
    ------
    OptionError
        for one that is not there.
    SourceError
        where there are several and none is the usual one.
    """
    if signature is not None:
        if signature not in signatures:
            raise OptionError(
                f"signature={signature!r}: {label} has none of that name. {suggest_names(signature, signatures)}"
            )
        return signature
    if "serving_default" in signatures or len(signatures) == 1:
        return "serving_default" if "serving_default" in signatures else next(iter(signatures))
    raise SourceError(f"{label} has the signatures {', '.join(signatures)}: say which one with signature='name'.")
