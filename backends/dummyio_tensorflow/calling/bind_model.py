"""Each kind of TensorFlow model as one function of a dict of nested tensors, by the names of a spec.

Keras models of `keras.Input`s take the nest of these as their first argument. All others are called by argument name if
the spec's inputs have these names, and else with the whole dict as their first argument.
"""

import inspect
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import Call, bind_arguments, bind_keras, is_keras, list_parameters
from dummyio.running.signatures import SIGNATURE, choose_signature


def bind_spec(model: Any, spec: InputSpec) -> Call:
    """Return `model` as a function of a spec's inputs, by the signature that the spec was described from; errors as `bind_model`."""
    return bind_model(model, list(spec), spec.provenance.get(SIGNATURE))


def bind_model(model: Any, names: Sequence[str], signature: str | None = None) -> Call:
    """Return `model` as a function of a dict of nested tensors, which has the top-level `names`.

    A module calls its function `signature`, if it has one of that name.

    Raises
    ------
    SourceError
        if the model does not take inputs of these names.
    """
    if is_keras(model):
        return bind_keras(model, names)
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return _bind_concrete(model)
    if isinstance(model, tf.types.experimental.PolymorphicFunction):
        plain: Any = model
        whole = plain.input_signature[0] if plain.input_signature and len(plain.input_signature) == 1 else None
        if isinstance(whole, Mapping) and set(whole) == set(names):
            return lambda inputs: plain(dict(inputs))  # its one argument, which may have the name of a key
        return bind_arguments(model, plain.python_function, names, {})
    if has_functions(model):
        known = signature if signature in _list_functions(model) else None
        function = choose_function(model, known, names)
        if function is not model:
            return bind_model(function, names)
    if callable(model):
        return bind_arguments(model, model, names, {})
    raise SourceError(f"a {qualified_name(model)} cannot be called: give a Keras model, a tf.function or a tf.Module.")


def has_functions(model: object) -> bool:
    """Whether `model` is a ``tf.Module``, or what ``tf.saved_model.load`` returns, which has signatures."""
    return isinstance(model, tf.Module) or isinstance(getattr(model, "signatures", None), Mapping)


def _bind_concrete(function: Any) -> Call:
    signature = function.structured_input_signature
    if signature is None:  # frozen: flat, by the names of its placeholders
        order = [tensor.name.split(":")[0] for tensor in function.inputs]
        return lambda inputs: function(*(inputs[name] for name in order))
    positional, keywords = signature

    def call(inputs: Mapping[str, Any]) -> Any:
        left = dict(inputs)
        named = {name: left.pop(name) for name in keywords if name in left}
        values = list(left.values()) if positional else []
        # A single argument that is a dict takes all other inputs, as a model of nested inputs does.
        if len(positional) == 1 and isinstance(positional[0], Mapping) and set(positional[0]) == set(left):
            values = [left]
        return function(*values, **named)

    return call


def choose_function(module: Any, signature: str | None = None, names: Collection[str] = ()) -> Any:
    """Return the function of a ``tf.Module`` that is called; errors as `choose_signature`.

    Parameters
    ----------
    module
        A module with ``tf.function``s, or a loaded SavedModel.
    signature
        The name of the function.
    names
        The names of its inputs: functions that have these arguments are preferred.
    """
    functions = _list_functions(module)
    if not functions and signature is None:
        if callable(module):
            return module
        raise SourceError(f"{qualified_name(module)} has no tf.function: decorate one, or give the function itself.")
    alike = {key: function for key, function in functions.items() if _argument_names(function) == set(names)}
    chosen = alike if alike and signature is None else functions
    return chosen[choose_signature(chosen, signature, qualified_name(module))]


def _list_functions(module: Any) -> dict[str, Any]:
    """Return the signatures of a loaded SavedModel, else the ``tf.function``s of a module, by name."""
    loaded = dict(getattr(module, "signatures", None) or {})
    kinds = (tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction)
    # Read without binding: a property would run.
    methods = [
        key for key in dir(type(module)) if isinstance(inspect.getattr_static(type(module), key, None), kinds[0])
    ]
    own = {key: value for key, value in vars(module).items() if isinstance(value, kinds)}
    return loaded or {key: getattr(module, key) for key in methods} | own


def _argument_names(function: Any) -> set[str]:
    if not hasattr(function, "python_function"):  # a concrete one
        positional, keywords = function.structured_input_signature or ((), {})
        return {str(getattr(spec, "name", "")) for spec in positional} | set(keywords)
    return set(list_parameters(function.python_function)) - {"self"}


def expand_composite_tensor(value: Any, path: str) -> Mapping[str, Any] | None:
    """Return the parts of a ragged or sparse tensor, by name; None for any other value."""
    if isinstance(value, tf.RaggedTensor):
        splits = value.nested_row_splits
        suffix = "nested_row_splits"
        parts = {f"{suffix}.{index}": part for index, part in enumerate(splits)}
        parts = {"flat_values": value.flat_values} | (parts if len(splits) > 1 else {suffix: splits[0]})
    elif isinstance(value, tf.SparseTensor):
        parts = {name: getattr(value, name) for name in ("indices", "values", "dense_shape")}
    else:
        return None
    prefix = f"{path}." if path and not path.startswith("_") else ""
    return {f"{prefix}{name}": tensor for name, tensor in parts.items()}
