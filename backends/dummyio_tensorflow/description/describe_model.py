"""Describe TensorFlow models and files: Keras models, functions, modules, SavedModels, frozen graphs.

They declare names, dtypes and which sizes are dynamic. Which of these are equal, and what the inputs hold, follows from
names, from the graph, and, for models that can be traced, from traces at sizes that all differ: sizes that must be equal do
not trace.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import is_keras
from dummyio.keras.declared_inputs import declared_from_keras
from dummyio.running.signatures import SIGNATURE
from dummyio.sources.declared import Declared
from dummyio.sources.options import apply_sizes, check_options
from dummyio_tensorflow.calling.bind_model import bind_model, choose_function, has_functions
from dummyio_tensorflow.declarations.declared_inputs import declared_from_concrete_function
from dummyio_tensorflow.declarations.from_file import declared_from_file
from dummyio_tensorflow.description.build_spec import SpecBuilder

_OPTIONS = ("shapes", "signature")


def describe(model: Any, *, dims: Mapping[str, Any] | None = None) -> InputSpec:
    """Return the description of the inputs of a model or a file.

    Parameters
    ----------
    model
        A Keras model, a ``tf.function`` with a signature or a trace, a concrete function, a ``tf.Module``; a path to a
        SavedModel's folder or a frozen graph (``.pb``).
    dims
        Default sizes of dims, by name. Options: ``padding_side``, ``mask_policy``: as in `PaddingMask`; ``shapes``: input →
        sizes and names of its axes; ``signature``: the name of one, for a module or a file with several.

    Raises
    ------
    SourceError
        for a model that declares no inputs, and for a file that cannot be read.
    OptionError
        for a name that is neither a dim nor an option of this model; the message suggests similar names.
    """
    options, sizes = check_options(dims, _OPTIONS)
    spec = SpecBuilder(read_declared(model, options.get("signature")), options).spec()
    return apply_sizes(spec, sizes, _OPTIONS, "model")


def read_declared(model: Any, signature: str | None) -> Declared:
    """Return the inputs that a model or a file declares; parameters and errors as in `describe`."""
    if isinstance(model, (str, Path)):
        return declared_from_file(Path(model), signature)
    if is_keras(model):
        return declared_from_keras(model)
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return declared_from_concrete_function(model, "a concrete function")
    if isinstance(model, tf.types.experimental.PolymorphicFunction):
        return _declared_from_function(model)
    if has_functions(model):
        function = choose_function(model, signature)
        kinds = (tf.types.experimental.GenericFunction, tf.types.experimental.ConcreteFunction)
        if not isinstance(function, kinds):
            raise SourceError(
                f"{qualified_name(model)} has no tf.function: decorate one with tf.function(input_signature=)."
            )
        declared = read_declared(function, None)
        declared.label = qualified_name(model)
        declared.notes |= {} if signature is None else {SIGNATURE: signature}
        return declared
    raise SourceError(
        f"a {qualified_name(model)} is not a TensorFlow model: give a Keras model, a tf.function, a tf.Module or a file."
    )


def _declared_from_function(function: Any) -> Declared:
    label = f"tf.function {getattr(function.python_function, '__qualname__', 'without a name')}"
    concrete = _choose_trace(function)
    if concrete is None:
        raise SourceError(
            f"{label} has no input_signature and was never called, so it declares no inputs: give it "
            "tf.function(input_signature=[tf.TensorSpec([None, 3])]), call it once, or write its InputSpec."
        )
    declared = declared_from_concrete_function(concrete, label)
    try:
        bind_model(function, list(declared.tree))
        declared.callable = function
    except SourceError:
        declared.callable = concrete
    return declared


def _choose_trace(function: Any) -> Any:
    """Return the trace of the signature, else the first one with most dynamic sizes of those that calls have made."""
    if function.input_signature is not None:
        return function.get_concrete_function()
    traces = function._list_all_concrete_functions()  # noqa: SLF001 - not public anywhere
    return max(traces, key=lambda one: sum(_count_dynamic(tensor.shape) for tensor in one.inputs), default=None)


def _count_dynamic(shape: Any) -> int:
    return 99 if shape.rank is None else sum(size is None for size in shape.as_list())
