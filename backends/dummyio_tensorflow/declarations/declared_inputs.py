"""The inputs that a model or a file declares, before anything is concluded from them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import DTypeError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Rule
from dummyio.typing import Axes
from dummyio_tensorflow.dtypes import from_native

_CONSTANTS = (bool, int, float, str, bytes)


@dataclass(frozen=True, slots=True)
class Leaf:
    """One input as it is declared; dynamic sizes are None."""

    axes: Axes | None
    """None if not even their number is declared."""
    dtype: DType


@dataclass
class Declared:
    """All inputs as they are declared."""

    label: str
    tree: dict[str, Any]
    """Top-level name → leaf, or dicts, lists and tuples of them."""

    callable: Any = None
    """A model or function that can be traced to see more; None for a file that is not run."""

    graph: Any = None
    """A graph whose placeholders have the names of the leaves, if there is one already."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Inputs that index a table → its number of rows, and its name."""

    notes: dict[str, str] = field(default_factory=dict[str, str])
    outputs: tuple[str, ...] = ()
    guessed: frozenset[str] = frozenset()
    """Inputs whose dtype and dynamic sizes are not declared."""

    ranges: dict[str, tuple[int, int]] = field(default_factory=dict[str, tuple[int, int]])
    """Inputs with known numbers, quantized ones and pixels → the smallest, and the first above the largest."""

    rules: dict[str, Rule] = field(default_factory=dict[str, Rule])
    """Inputs whose values are looked up → the rule of values that the table has, and one that it lacks."""


def leaf_from_spec(spec: Any, name: str) -> Leaf:
    """Return the leaf of an object with a shape and a dtype."""
    shape: Any = tf.TensorShape(spec.shape)
    try:
        return Leaf(None if shape.rank is None else tuple(shape.as_list()), from_native(tf.dtypes.as_dtype(spec.dtype)))
    except (DTypeError, TypeError) as error:
        raise SourceError(f"input {name!r} has dtype {spec.dtype}, which no array can have: {error}") from error


def leaves_from_nest(tree: Any, name: str = "") -> Any:
    """Return a nest of specs or symbolic tensors as a nest of leaves."""
    if isinstance(tree, Mapping):
        return {str(key): leaves_from_nest(value, f"{name}.{key}" if name else str(key)) for key, value in tree.items()}
    if isinstance(tree, (list, tuple)):
        leaves = [leaves_from_nest(value, f"{name}.{index}") for index, value in enumerate(tree)]
        return tuple(leaves) if type(tree) is tuple else leaves
    if hasattr(tree, "shape") and hasattr(tree, "dtype"):
        return leaf_from_spec(tree, name)
    raise SourceError(f"input {name!r} is not a tensor but a {qualified_name(tree)}: only tensors can be described.")


def declared_from_concrete_function(function: Any, label: str) -> Declared:
    """Return the inputs of a concrete function: those of its signature, else its placeholders."""
    signature = function.structured_input_signature
    if signature is None:
        tree = {tensor.name.split(":")[0]: leaf_from_spec(tensor, tensor.name) for tensor in function.inputs}
        return Declared(label, tree, callable=function)
    positional, keywords = signature
    parameters = list(getattr(function.function_type, "parameters", {}))[: len(positional)]
    names = [*parameters, *(f"input_{index}" for index in range(len(parameters), len(positional)))]
    tree = {}
    for name, spec in zip(names, positional, strict=True):
        if spec is None or isinstance(spec, _CONSTANTS):  # the default of a Python argument, part of the function
            continue
        # A single argument that is a dict is the dict of inputs.
        is_whole = isinstance(spec, Mapping) and len(positional) == 1 and not keywords
        tree |= leaves_from_nest(spec) if is_whole else {name: leaves_from_nest(spec, name)}
    named = {name: spec for name, spec in keywords.items() if spec is not None and not isinstance(spec, _CONSTANTS)}
    tree |= {name: leaves_from_nest(spec, name) for name, spec in named.items()}
    return Declared(label, tree, callable=function)


def iterate_declared(tree: Any, prefix: str = "") -> Iterator[tuple[str, Leaf]]:
    """Yield path and leaf of a nest of leaves, in order."""
    if isinstance(tree, Leaf):
        yield prefix, tree
        return
    for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
        yield from iterate_declared(value, f"{prefix}.{key}" if prefix else str(key))
