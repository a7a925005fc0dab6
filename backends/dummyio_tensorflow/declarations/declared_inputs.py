"""The inputs that a function of TensorFlow declares."""

from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from dummyio.errors import DTypeError, SourceError
from dummyio.sources.declared import Declared, Leaf, leaves_from_nest
from dummyio_tensorflow.dtypes import from_native

_COMPOSITE = (tf.RaggedTensorSpec, tf.SparseTensorSpec)
_CONSTANTS = (bool, int, float, str, bytes)


def leaf_from_spec(spec: Any, name: str) -> Leaf:
    """Return the leaf of an object with a shape and a dtype; raise `SourceError` for a ragged or sparse tensor."""
    if isinstance(spec, _COMPOSITE):
        kind = "ragged" if isinstance(spec, tf.RaggedTensorSpec) else "sparse"
        raise SourceError(
            f"input {name!r} is {kind}, and {kind} inputs are not described. Take its parts as tensors, such as values and row lengths, and "
            f"make the {kind} tensor in the model."
        )
    shape: Any = tf.TensorShape(spec.shape)
    try:
        return Leaf(None if shape.rank is None else tuple(shape.as_list()), from_native(tf.dtypes.as_dtype(spec.dtype)))
    except (DTypeError, TypeError) as error:
        raise SourceError(f"input {name!r} has dtype {spec.dtype}, which no array can have: {error}") from error


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
        tree |= (
            leaves_from_nest(spec, leaf_from_spec) if is_whole else {name: leaves_from_nest(spec, leaf_from_spec, name)}
        )
    named = {name: spec for name, spec in keywords.items() if spec is not None and not isinstance(spec, _CONSTANTS)}
    tree |= {name: leaves_from_nest(spec, leaf_from_spec, name) for name, spec in named.items()}
    return Declared(label, tree, callable=function)
