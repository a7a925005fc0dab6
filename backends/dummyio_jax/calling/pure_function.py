"""Functions, Flax NNX modules and Flax Linen modules as one pure function of named inputs.

The variables of a module are closed over, and the module runs in evaluation mode: in training mode an export would drop
activations at random, and its batch norms would depend on the batch.
"""

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import SourceError
from dummyio.input_spec import InputSpec
from dummyio.keras.calls import bind_keras, is_keras
from dummyio.keras.describe_inputs import describe_inputs


@dataclass(frozen=True)
class Model:
    """A pure function of named inputs."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature | None
    """The parameters of the function; None if they cannot be inspected."""
    kind: str = "function"
    notes: tuple[str, ...] = ()
    package: str | None = None
    """The package that defines the class of a module."""
    describe_inputs: Callable[[Mapping[str, Any]], InputSpec] | None = None
    """Describes the inputs that the model declares, by the options of a reader; None if its signature or examples do."""

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Call the function: inputs go by position as far as all before them are given, since ``vmap`` and others count them; then by name."""
        if self.signature is None:
            return self.function(**inputs)
        parameters, named = self.signature.parameters.values(), dict(inputs)
        variadic = any(p.kind is p.VAR_POSITIONAL and p.name in named for p in parameters)
        args: list[Any] = []
        is_next = True
        for parameter in parameters:
            if parameter.name not in named:
                is_next = False
                continue
            if parameter.kind is parameter.POSITIONAL_ONLY or (
                (variadic or is_next) and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            ):
                args.append(named.pop(parameter.name))
            elif parameter.kind is parameter.VAR_POSITIONAL:
                args += named.pop(parameter.name)
            elif parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name)
        return self.function(*args, **named)


def to_pure_function(target: Any) -> Model:
    """Return a function or a Flax module as a pure function of named inputs.

    Raises
    ------
    SourceError
        for a Linen module without variables, and for an object that cannot be called.
    """
    for wrap in (_wrap_keras, _wrap_nnx, _wrap_linen, _wrap_linen_apply):
        model = wrap(target)
        if model is not None:
            return model
    if not callable(target):
        raise SourceError(
            f"a {qualified_name(target)} cannot be called: give a function, a Flax module, "
            "a jax.export.Exported, or a .stablehlo file."
        )
    return Model(str(getattr(target, "__name__", None) or type(target).__name__), target, _inspect(target))


def _inspect(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # functions of extension modules
        return None


def _wrap_keras(target: Any) -> Model | None:
    """Return a Keras model as a function of the inputs that it declares; None for other targets."""
    if not is_keras(target):
        return None
    if not all(layer.built for layer in target._flatten_layers()):  # noqa: SLF001 - inner models have layers too
        # A layer makes its weights in the first call: in a trace they would be values of that trace alone.
        spec = describe_inputs(target, {})
        bind_keras(target, list(spec))(spec.generate("jax"))

    def function(**inputs: Any) -> Any:
        return bind_keras(target, list(inputs))(inputs)

    describe = functools.partial(describe_inputs, target)
    return Model(str(target.name), function, None, "keras", package="keras", describe_inputs=describe)


def _wrap_nnx(target: Any) -> Model | None:
    """Return an NNX module, or a method of one, as a function; None for other targets."""
    nnx: Any = sys.modules.get("flax.nnx")
    module = getattr(target, "__self__", target)
    if nnx is None or not isinstance(module, nnx.Module):
        return None
    method = "__call__" if module is target else target.__name__
    evaluated = nnx.clone(module)
    evaluated.eval()
    definition, state = nnx.split(evaluated)

    def function(*args: Any, **kwargs: Any) -> Any:
        # A copy for each call: what a call writes (statistics, counters of random keys) must not reach the next call,
        # and Flax refuses to write to variables that were made outside of a trace.
        return getattr(nnx.merge(definition, state, copy=True), method)(*args, **kwargs)

    notes = ("The module was in training mode; it was taken in evaluation mode.",) if _is_training(nnx, module) else ()
    return Model(type(module).__name__, function, _inspect(getattr(module, method)), "nnx", notes, _find_root(nnx))


def _is_training(nnx: Any, module: Any) -> bool:
    return any(
        getattr(part, "use_running_average", None) is False
        or (getattr(part, "deterministic", None) is False and getattr(part, "rate", getattr(part, "dropout_rate", 0)))
        for _, part in nnx.iter_modules(module)
    )


def _wrap_linen(target: Any) -> Model | None:
    """Return a bound Linen module as a function; None for other targets."""
    linen: Any = sys.modules.get("flax.linen")
    if linen is None or not isinstance(target, linen.Module):
        return None
    if target.scope is None:
        raise SourceError(
            f"the Flax Linen module {type(target).__name__} has no variables. Bind them, model.bind(variables), or give "
            "functools.partial(model.apply, variables)."
        )
    module, variables = target.unbind()
    return _wrap_linen_apply(functools.partial(module.apply, variables))


def _wrap_linen_apply(target: Any) -> Model | None:
    """Return ``functools.partial(module.apply, variables)`` as a function of the module's inputs; None for other targets."""
    linen: Any = sys.modules.get("flax.linen")
    module = getattr(getattr(target, "func", None), "__self__", None)
    if linen is None or not isinstance(target, functools.partial) or not isinstance(module, linen.Module):
        return None
    if target.func.__name__ != "apply" or not target.args:
        return None
    method = target.keywords.get("method") or "__call__"
    signature = _inspect(getattr(module, method) if isinstance(method, str) else functools.partial(method, module))
    if signature is not None:
        parameters = list(signature.parameters.values())[len(target.args) - 1 :]
        signature = signature.replace(parameters=[p for p in parameters if p.name not in target.keywords])
    return Model(type(module).__name__, target, signature, "linen", package=_find_root(linen))


def _find_root(module: Any) -> str:
    return str(module.__name__.partition(".")[0])
