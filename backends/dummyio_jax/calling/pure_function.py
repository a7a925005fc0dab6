"""Whatever can be called in JAX, as one pure function of named inputs: functions, Flax NNX modules, Flax Linen modules.

What a module holds is closed over. It runs as in evaluation: a module that an export left in training would drop
activations at random, and its batch norms would follow the batch.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dummyio.errors import SourceError

__all__ = ["Model", "to_pure_function"]


@dataclass(frozen=True)
class Model:
    """A pure function of named inputs."""

    name: str
    function: Callable[..., Any]
    signature: inspect.Signature | None
    """What it takes; None where it does not say."""
    kind: str = "function"
    notes: tuple[str, ...] = ()

    def __call__(self, inputs: Mapping[str, Any]) -> Any:
        """Call it with the inputs as its signature takes them: by name where it can be, else by place."""
        if self.signature is None:
            return self.function(**inputs)
        parameters, named = self.signature.parameters.values(), dict(inputs)
        many = any(p.kind is p.VAR_POSITIONAL and p.name in named for p in parameters)
        args: list[Any] = []
        for parameter in parameters:
            if parameter.name not in named:
                continue
            if parameter.kind is parameter.POSITIONAL_ONLY or (
                many and parameter.kind is parameter.POSITIONAL_OR_KEYWORD
            ):
                args.append(named.pop(parameter.name))
            elif parameter.kind is parameter.VAR_POSITIONAL:
                args += named.pop(parameter.name)
            elif parameter.kind is parameter.VAR_KEYWORD:
                named |= named.pop(parameter.name)
        return self.function(*args, **named)


def to_pure_function(target: Any) -> Model:
    """Return `target` as a pure function of named inputs.

    Raises
    ------
    SourceError
        for a Linen module without variables, and for what cannot be called.
    """
    for read in (_nnx, _linen, _applied):
        found = read(target)
        if found is not None:
            return found
    if not callable(target):
        raise SourceError(
            f"a {type(target).__module__}.{type(target).__qualname__} cannot be called: give a function, a module of Flax, "
            "a jax.export.Exported, or a .stablehlo file."
        )
    return Model(_name(target), target, _signature(target))


def _name(target: Any) -> str:
    return str(getattr(target, "__name__", None) or type(target).__name__)


def _signature(function: Callable[..., Any]) -> inspect.Signature | None:
    try:
        return inspect.signature(function)
    except (TypeError, ValueError):  # of what is written in another language
        return None


def _nnx(target: Any) -> Model | None:
    """Return an NNX module, or a method of one, as a function."""
    nnx: Any = sys.modules.get("flax.nnx")
    module = getattr(target, "__self__", target)
    if nnx is None or not isinstance(module, nnx.Module):
        return None
    method = "__call__" if module is target else target.__name__
    resting = nnx.clone(module)
    resting.eval()
    definition, state = nnx.split(resting)

    def function(*args: Any, **kwargs: Any) -> Any:
        # Copied anew in every call: what a call writes (statistics, counters of random keys) must not reach the next one,
        # and Flax refuses to write to variables that were made outside of a trace.
        return getattr(nnx.merge(definition, state, copy=True), method)(*args, **kwargs)

    notes = ("The module was in training; what was taken is how it evaluates.",) if _training(nnx, module) else ()
    return Model(type(module).__name__, function, _signature(getattr(module, method)), "nnx", notes)


def _training(nnx: Any, module: Any) -> bool:
    parts = [part for _, part in nnx.iter_modules(module)]
    return any(
        getattr(part, "use_running_average", None) is False
        or (getattr(part, "deterministic", None) is False and getattr(part, "rate", getattr(part, "dropout_rate", 0)))
        for part in parts
    )


def _linen(target: Any) -> Model | None:
    """Return a bound Linen module as a function."""
    linen: Any = sys.modules.get("flax.linen")
    if linen is None or not isinstance(target, linen.Module):
        return None
    if target.scope is None:
        raise SourceError(
            f"a {type(target).__name__} of Flax Linen holds no variables. Bind them, model.bind(variables), or give "
            "functools.partial(model.apply, variables)."
        )
    module, variables = target.unbind()
    return Model(
        type(module).__name__, functools.partial(module.apply, variables), _signature(module.__call__), "linen"
    )


def _applied(target: Any) -> Model | None:
    """Return ``functools.partial(module.apply, variables)`` as a function of what the module itself takes."""
    linen: Any = sys.modules.get("flax.linen")
    module = getattr(getattr(target, "func", None), "__self__", None)
    if linen is None or not isinstance(target, functools.partial) or not isinstance(module, linen.Module):
        return None
    if target.func.__name__ != "apply" or not target.args:
        return None
    method = target.keywords.get("method") or "__call__"
    own = _signature(getattr(module, method) if isinstance(method, str) else functools.partial(method, module))
    if own is not None:
        given = len(target.args) - 1
        left = [p for p in list(own.parameters.values())[given:] if p.name not in target.keywords]
        own = own.replace(parameters=left)
    return Model(type(module).__name__, target, own, "linen")
