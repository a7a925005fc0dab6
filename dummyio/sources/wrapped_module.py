"""Modules that hand their arguments to a module inside, such as a model with adapters."""

import inspect
import re
from collections.abc import Mapping
from typing import Any

_HANDED_ON = re.compile(r"self\.(\w+)(?:\.forward)?\((?:[^()]*,)?\s*\*\*kwargs,?\s*\)")
_DEEPEST = 4
_ANY = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def find_inner_module(module: Any, deepest: int = _DEEPEST) -> Any:
    """Return the module inside that gets the arguments of a PyTorch module; the module itself if it does not hand them on.

    A module hands its arguments on if its `forward` names none, or if it is of another package than the one inside, to which it gives
    its ``**kwargs``, and demands nothing that the one inside does not take.
    """
    parameters = _read_parameters(module)
    named = {name: each for name, each in parameters.items() if each.kind not in _ANY}
    if deepest == 0 or inspect.Parameter.VAR_KEYWORD not in (each.kind for each in parameters.values()):
        return module
    receiver = _find_receiver(module, may_be_unnamed=not named)
    if receiver is None:
        return module
    inner = find_inner_module(receiver, deepest - 1)
    demanded = {name for name, each in named.items() if each.default is each.empty}
    wraps = _package_of(module) != _package_of(inner) and demanded <= _read_parameters(inner).keys()
    return inner if wraps or not named else module


def find_receiver(module: Any) -> Any:
    """Return the module inside that gets the ``**kwargs`` of a PyTorch module by its source text; None if there is none."""
    kinds = {each.kind for each in _read_parameters(module).values()}
    return _find_receiver(module, may_be_unnamed=False) if inspect.Parameter.VAR_KEYWORD in kinds else None


def _read_parameters(module: Any) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(module.forward).parameters
    except (AttributeError, TypeError, ValueError):
        return {}


def _package_of(module: Any) -> str:
    return type(module).__module__.partition(".")[0]


def _find_receiver(module: Any, *, may_be_unnamed: bool) -> Any:
    """Return the module that the source text hands the arguments to, else the only one inside where that may be; None if unknown."""
    children = dict(module.named_children())
    try:
        text = inspect.getsource(module.forward)
    except (OSError, TypeError):
        text = ""
    handed = next((children[name] for name in _HANDED_ON.findall(text) if name in children), None)
    return next(iter(children.values())) if handed is None and may_be_unnamed and len(children) == 1 else handed
