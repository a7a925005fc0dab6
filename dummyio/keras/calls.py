"""A Keras model as a function of a dict of nested tensors, by the names of a spec.

Models of `keras.Input`s take the nest of these as their first argument. All others are called by argument name if the spec's inputs have
these names, and else with the whole dict as their first argument.
"""

import inspect
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from dummyio.backend.frameworks import get_keras_backend
from dummyio.errors import SourceError

Call = Callable[[Mapping[str, Any]], Any]

_COUNTED = re.compile(r"(keras_tensor|input_layer|input)(_\d+)?$")
"""Names that Keras gives to unnamed inputs: their number counts earlier inputs, and differs from run to run."""


def is_keras(model: object) -> bool:
    """Whether `model` is a layer or a model of Keras 2 or 3."""
    for name in ("keras", "tf_keras"):
        layers = getattr(sys.modules.get(name), "layers", None)
        if layers is not None and isinstance(model, layers.Layer):
            return True
    return False


def check_keras_backend() -> None:
    """Raise `SourceError` if Keras runs on a framework that has no backend here."""
    if get_keras_backend() not in (None, "tensorflow", "torch", "jax"):
        raise SourceError(
            f"Keras runs on {get_keras_backend()!r} here: TensorFlow, PyTorch and JAX are supported. Set KERAS_BACKEND before Keras is "
            "imported."
        )


def bind_keras(model: Any, names: Sequence[str]) -> Call:
    """Return a model in inference mode as a function of a dict of nested tensors, which has the top-level `names`.

    Raises
    ------
    SourceError
        if the model does not take inputs of these names, or Keras runs on a framework that has no backend here.
    """
    check_keras_backend()
    struct = functional_inputs(model)
    options = {"training": False} if "training" in list_parameters(model.call) else {}
    if struct is not None:
        return _bind_functional(model, struct, names, options)
    first = next(iter(list_parameters(model.call)), "")
    if first in names:  # by position, as Keras converts and counts it: by name, jax.export fails after the first trace
        return lambda inputs: model(inputs[first], **{name: inputs[name] for name in names if name != first}, **options)
    return bind_arguments(model, model.call, names, options)


def functional_inputs(model: Any) -> Any:
    """Return the nest of symbolic inputs that a Keras model was made of; None for other models."""
    inner = getattr(model, "_functional", None)  # of a Sequential that is built
    structs = (getattr(candidate, "_inputs_struct", None) for candidate in (model, inner))
    return next((struct for struct in structs if struct is not None), None)


def name_keras_inputs(struct: Any) -> dict[str, Any]:
    """Return top-level name → symbolic input, or nest of them, of a Keras model made of inputs."""
    if isinstance(struct, Mapping):
        return {str(key): value for key, value in struct.items()}
    if isinstance(struct, (list, tuple)):
        numbered = [f"inputs_{index}" for index in range(len(struct))]
        names = [_keras_name(value, other) for value, other in zip(struct, numbered, strict=True)]
        return dict(zip(names if len(set(names)) == len(names) else numbered, struct, strict=True))
    return {_keras_name(struct, "inputs"): struct}


def _keras_name(value: Any, otherwise: str) -> str:
    name = getattr(value, "name", None)
    return name if isinstance(name, str) and name and not _COUNTED.match(name) else otherwise


def _bind_functional(model: Any, struct: Any, names: Sequence[str], options: Mapping[str, Any]) -> Call:
    known = list(name_keras_inputs(struct))
    if len(known) != len(names):
        raise SourceError(
            f"{model.name!r} takes {len(known)} inputs, {', '.join(known)}, and the spec has {len(names)}, {', '.join(names)}: "
            "give the spec of this model."
        )
    order = known if set(known) == set(names) else names

    def call(inputs: Mapping[str, Any]) -> Any:
        values = [inputs[name] for name in order]
        if isinstance(struct, Mapping):
            return model(dict(zip(struct, values, strict=True)), **options)
        return model(type(struct)(values) if isinstance(struct, (list, tuple)) else values[0], **options)

    return call


def list_parameters(function: Any) -> Mapping[str, inspect.Parameter]:
    """Return the parameters of a function; none if they cannot be inspected."""
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError):
        return {}


def bind_arguments(function: Any, signed: Any, names: Sequence[str], options: Mapping[str, Any]) -> Call:
    """Bind by the parameters of `signed`, which may be another function than the one to call."""
    parameters = list_parameters(signed)
    by_name = {
        name for name, item in parameters.items() if item.kind in (item.POSITIONAL_OR_KEYWORD, item.KEYWORD_ONLY)
    }
    if by_name.issuperset(names) or any(item.kind is item.VAR_KEYWORD for item in parameters.values()):
        return lambda inputs: function(**inputs, **options)
    if any(item.kind is item.VAR_POSITIONAL for item in parameters.values()):
        return lambda inputs: function(*(inputs[name] for name in names), **options)
    required = [name for name, item in parameters.items() if item.default is item.empty]
    if len(required) == len(names):
        return lambda inputs: function(*(inputs[name] for name in names), **options)
    if len(required) == 1 or (not required and parameters):
        return lambda inputs: function(dict(inputs), **options)
    raise SourceError(
        f"{getattr(function, '__qualname__', function)!r} takes {', '.join(parameters) or 'nothing'}, and the spec has "
        f"{', '.join(names)}: name the inputs as its arguments."
    )
