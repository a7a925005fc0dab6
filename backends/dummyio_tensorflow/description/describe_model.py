"""Describe TensorFlow's models and files: Keras models, functions, modules, SavedModels, frozen graphs, TFLite files.

They declare names, dtypes and which sizes are free. Which free sizes are one, and what the inputs hold, follows from names
(the rules of `dummyio.graph_inputs`), from the graph, and, for what can be traced, from traces at sizes that all differ:
what does not fit together does not trace.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError
from dummyio.input_spec import InputSpec
from dummyio.sources.options import READER_OPTIONS, apply_sizes, check_choices
from dummyio_tensorflow.calling.bind_model import bind_model, is_keras, signed_function
from dummyio_tensorflow.declarations.declared_inputs import Declared, declared_from_concrete_function
from dummyio_tensorflow.declarations.from_file import declared_from_file
from dummyio_tensorflow.declarations.from_keras import of_keras
from dummyio_tensorflow.description.build_spec import SpecBuilder

__all__ = ["describe"]

_OPTIONS = (*READER_OPTIONS, "shapes", "signature")


def describe(
    model: Any, *, dims: Mapping[str, Any] | None = None, options: Mapping[str, Any] | None = None
) -> InputSpec:
    """Return the description of a model's or a file's inputs.

    Parameters
    ----------
    model
        A Keras model, a ``tf.function`` with a signature or a trace, a concrete function, a ``tf.Module``; a path to a
        SavedModel's folder, a frozen graph (``.pb``) or a ``.tflite`` file.
    dims
        Default sizes of symbols, by name.
    options
        ``padding_side``, ``mask_policy``: as in `PaddingMask`. ``shapes``: input → sizes and names of its axes.
        ``signature``: which one, of a module or a file with several. They may stand among `dims`.

    Raises
    ------
    SourceError
        for what declares no inputs, and for files that cannot be read.
    OptionError
        for a name that is no symbol and no option of this model, with the near ones.
    """
    given = {**(dims or {}), **(options or {})}
    chosen = _checked({name: given.pop(name) for name in _OPTIONS if name in given})
    spec = SpecBuilder(_declared(model, chosen.get("signature")), chosen).spec()
    return apply_sizes(spec, given, _OPTIONS, "model")


def _checked(chosen: dict[str, Any]) -> dict[str, Any]:
    check_choices(chosen)
    shapes = chosen.get("shapes", {})
    if not isinstance(shapes, Mapping) or not all(isinstance(shape, (list, tuple)) for shape in shapes.values()):
        raise OptionError(f"shapes={shapes!r}: give a mapping of inputs to shapes, such as {{'x': ('batch_size', 3)}}.")
    return chosen


def _declared(model: Any, signature: str | None) -> Declared:
    if isinstance(model, (str, Path)):
        return declared_from_file(Path(model), signature)
    if is_keras(model):
        return of_keras(model)
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return declared_from_concrete_function(model, "a concrete function")
    if isinstance(model, tf.types.experimental.PolymorphicFunction):
        return _of_function(model)
    if isinstance(model, tf.Module):
        function = signed_function(model, signature)
        if not isinstance(function, tf.types.experimental.GenericFunction):
            raise SourceError(
                f"{qualified_name(model)} has no tf.function: decorate one with tf.function(input_signature=)."
            )
        declared = _declared(function, None)
        declared.label = qualified_name(model)
        return declared
    raise SourceError(f"a {qualified_name(model)} cannot be described as a model of TensorFlow's.")


def _of_function(function: Any) -> Declared:
    label = f"tf.function {getattr(function.python_function, '__qualname__', 'without a name')}"
    concrete = _traced(function)
    if concrete is None:
        raise SourceError(
            f"{label} has no input_signature and was never called, so nothing says what it takes: give it "
            "tf.function(input_signature=[tf.TensorSpec([None, 3])]), call it once, or write its InputSpec."
        )
    declared = declared_from_concrete_function(concrete, label)
    names = list(declared.tree)
    try:
        bind_model(function, names)
        declared.callable = function
    except SourceError:
        declared.callable = concrete
    return declared


def _traced(function: Any) -> Any:
    """Return the signature's trace, else the first that takes most sizes free among those that were made by calls."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    made = function._list_all_concrete_functions()  # noqa: SLF001 - there is no public way to ask
    return max(made, key=lambda one: sum(_free(tensor.shape) for tensor in one.inputs), default=None)


def _free(shape: Any) -> int:
    return 99 if shape.rank is None else sum(size is None for size in shape.as_list())
