"""How each kind of TensorFlow model is called on the inputs of a spec: one function of a dict of nested tensors.

Keras models from `keras.Input`s take what these were nested in, as their first argument; all else goes by the names of its
arguments, where the spec's inputs have them, and else takes the whole dict as its first.
"""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Collection, Mapping
from typing import Any

import tensorflow as tf

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, SourceError, suggest_names

__all__ = [
    "Call",
    "bind_model",
    "expand_composite_tensor",
    "functional_inputs",
    "input_names",
    "is_keras",
    "signed_function",
]

Call = Callable[[Mapping[str, Any]], Any]

_COUNTED = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?$")
"""Names that Keras gives to inputs without one: they count what was made before, and differ from run to run."""


def bind_model(model: Any, names: list[str]) -> Call:
    """Return `model` as a function of a dict of nested tensors, which has the top-level `names`.

    Raises
    ------
    SourceError
        where nothing says how the model takes these inputs.
    """
    if is_keras(model):
        check_keras_backend(model)
        struct = functional_inputs(model)
        trained = {"training": False} if _takes(model.call, "training") else {}
        if struct is not None:
            return _bound_functional(model, struct, names, trained)
        return _bound_arguments(model, _parameters(model.call), names, trained)
    if isinstance(model, tf.types.experimental.ConcreteFunction):
        return _bound_concrete(model)
    if isinstance(model, tf.types.experimental.PolymorphicFunction):
        plain: Any = model
        return _bound_arguments(model, _parameters(plain.python_function), names, {})
    if isinstance(model, tf.Module):
        function = signed_function(model, names=names)
        return (
            _bound_arguments(function, _parameters(function), names, {})
            if function is model
            else bind_model(function, names)
        )
    if callable(model):
        return _bound_arguments(model, _parameters(model), names, {})
    raise SourceError(f"a {qualified_name(model)} cannot be called: give a Keras model, a tf.function or a tf.Module.")


def is_keras(model: object) -> bool:
    """Whether `model` is a layer or a model of Keras's, of either version."""
    for name in ("keras", "tf_keras"):
        layers = getattr(sys.modules.get(name), "layers", None)
        if layers is not None and isinstance(model, layers.Layer):
            return True
    return False


def check_keras_backend(model: object) -> None:
    """Raise `SourceError` for a model of a Keras that does not run on TensorFlow."""
    keras = sys.modules.get("keras")
    if keras is not None and isinstance(model, keras.layers.Layer) and keras.backend.backend() != "tensorflow":
        raise SourceError(
            f"Keras runs on {keras.backend.backend()!r} here, and a {qualified_name(model)} with it. This reads Keras on "
            "TensorFlow: set KERAS_BACKEND=tensorflow before Keras is imported."
        )


def functional_inputs(model: Any) -> Any:
    """Return the nest of symbolic inputs that a Keras model was made of; None where it was not."""
    inner = getattr(model, "_functional", None)  # of a Sequential that is built
    for candidate in (model, inner):
        struct = getattr(candidate, "_inputs_struct", None)
        if struct is not None:
            return struct
    return None


def input_names(struct: Any) -> dict[str, Any]:
    """Return top-level name → symbolic input, or nest of them, of a Keras model made of inputs."""
    if isinstance(struct, Mapping):
        return {str(key): value for key, value in struct.items()}
    if isinstance(struct, (list, tuple)):
        names = [_own_name(value, f"inputs_{place}") for place, value in enumerate(struct)]
        names = names if len(set(names)) == len(names) else [f"inputs_{place}" for place in range(len(names))]
        return dict(zip(names, struct, strict=True))
    return {_own_name(struct, "inputs"): struct}


def _own_name(value: Any, otherwise: str) -> str:
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and name and not _COUNTED.match(name) else otherwise


def _bound_functional(model: Any, struct: Any, names: list[str], trained: Mapping[str, Any]) -> Call:
    known = input_names(struct)
    if len(known) != len(names):
        raise SourceError(
            f"{model.name!r} takes {len(known)} inputs, {', '.join(known)}; the spec has {', '.join(names)}."
        )
    order = list(known) if set(known) == set(names) else names

    def call(inputs: Mapping[str, Any]) -> Any:
        values = [inputs[name] for name in order]
        if isinstance(struct, Mapping):
            return model(dict(zip(struct, values, strict=True)), **trained)
        return model(type(struct)(values) if isinstance(struct, (list, tuple)) else values[0], **trained)

    return call


def _parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def _takes(function: Any, name: str) -> bool:
    return name in _parameters(function)


def _bound_arguments(
    function: Any, parameters: Mapping[str, inspect.Parameter], names: list[str], more: Mapping[str, Any]
) -> Call:
    free = any(item.kind is item.VAR_KEYWORD for item in parameters.values())
    by_name = {
        name for name, item in parameters.items() if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    if by_name.issuperset(names) or free:
        return lambda inputs: function(**inputs, **more)
    required = [name for name, item in parameters.items() if item.default is item.empty]
    if len(required) == len(names):
        return lambda inputs: function(*(inputs[name] for name in names), **more)
    if len(required) == 1 or (not required and parameters):
        return lambda inputs: function(dict(inputs), **more)
    raise SourceError(
        f"{getattr(function, '__qualname__', function)!r} takes {', '.join(parameters) or 'nothing'}, and the spec has "
        f"{', '.join(names)}: name the inputs as its arguments."
    )


def _bound_concrete(function: Any) -> Call:
    signature = function.structured_input_signature
    if signature is None:  # frozen: flat, by the names of its placeholders
        order = [tensor.name.split(":")[0] for tensor in function.inputs]
        return lambda inputs: function(*(inputs[name] for name in order))
    positional, keywords = signature

    def call(inputs: Mapping[str, Any]) -> Any:
        left = dict(inputs)
        named = {name: left.pop(name) for name in keywords if name in left}
        if not positional:
            return function(**named)
        values = list(left.values())
        # One argument that is a dict itself takes what is left, as a model of nested inputs does.
        if len(positional) == 1 and isinstance(positional[0], Mapping) and set(positional[0]) == set(left):
            values = [left]
        return function(*values, **named)

    return call


def signed_function(module: Any, signature: str | None = None, names: Collection[str] | None = None) -> Any:
    """Return what of a ``tf.Module`` is called: its signature of that name, or of these inputs, its ``__call__``, the only one.

    Raises
    ------
    OptionError
        for a signature that it does not have.
    SourceError
        where it has none, or several of which nothing says which one is meant.
    """
    signatures = _signatures(module)
    if signature is not None:
        if signature not in signatures:
            raise OptionError(
                f"signature={signature!r}: this module has none of that name. {suggest_names(signature, signatures)}"
            )
        return signatures[signature]
    alike = {key: one for key, one in signatures.items() if names is not None and _argument_names(one) == set(names)}
    for candidates in (alike, signatures):
        usual = [candidates[key] for key in ("serving_default", "__call__") if key in candidates]
        if usual or len(candidates) == 1:
            return usual[0] if usual else next(iter(candidates.values()))
    if not signatures and callable(module):
        return module
    have = f"the functions {', '.join(signatures)}" if signatures else "no tf.function"
    raise SourceError(
        f"{qualified_name(module)} has {have}: describe it with signature='name', or give the function itself."
    )


def _signatures(module: Any) -> dict[str, Any]:
    """Return the signatures of a loaded SavedModel, else the ``tf.function``s of a module, by name."""
    loaded = dict(getattr(module, "signatures", None) or {})
    kinds = (tf.types.experimental.PolymorphicFunction, tf.types.experimental.ConcreteFunction)
    bound = {key: getattr(module, key) for key in dir(type(module)) if isinstance(_static(module, key), kinds[0])}
    return loaded or bound | {key: value for key, value in vars(module).items() if isinstance(value, kinds)}


def _static(module: Any, name: str) -> Any:
    """Return a class's attribute without binding it, which for a property would run it."""
    return inspect.getattr_static(type(module), name, None)


def _argument_names(function: Any) -> set[str]:
    if not hasattr(function, "python_function"):  # a concrete one
        positional, keywords = function.structured_input_signature or ((), {})
        return {str(getattr(spec, "name", "")) for spec in positional} | set(keywords)
    return set(_parameters(function.python_function)) - {"self"}


def expand_composite_tensor(value: Any, path: str) -> Mapping[str, Any] | None:
    """Return the parts of a ragged or sparse tensor, by name; None for all else."""
    parts = {
        tf.RaggedTensor: ("flat_values", "nested_row_splits"),
        tf.SparseTensor: ("indices", "values", "dense_shape"),
    }
    for kind, names in parts.items():
        if isinstance(value, kind):
            found: dict[str, Any] = {}
            for name in names:
                part = getattr(value, name)
                several = part if isinstance(part, (list, tuple)) else [part]
                for place, tensor in enumerate(several):
                    suffix = f"{name}.{place}" if len(several) > 1 else name
                    found[f"{path}.{suffix}" if path and not path.startswith("_") else suffix] = tensor
            return found
    return None
