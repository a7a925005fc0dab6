"""Modules that hand all their arguments to a module inside, such as a model with adapters."""

import inspect
import re
from typing import Any

_HANDED_ON = re.compile(r"self\.(\w+)(?:\.forward)?\((?:\w+, *)*\*args, *\*\*kwargs\)")
_DEEPEST = 4


def find_inner_module(module: Any) -> Any:
    """Return the module that gets the arguments of a PyTorch module whose `forward` names none; else the module itself."""
    for _ in range(_DEEPEST):
        inner = _find_receiver(module) if _names_nothing(module) else None
        if inner is None:
            break
        module = inner
    return module


def _names_nothing(module: Any) -> bool:
    """Whether `forward` takes any arguments by name and names none."""
    try:
        kinds = [each.kind for each in inspect.signature(module.forward).parameters.values()]
    except (AttributeError, TypeError, ValueError):
        return False
    any_kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return inspect.Parameter.VAR_KEYWORD in kinds and all(kind in any_kinds for kind in kinds)


def _find_receiver(module: Any) -> Any:
    """Return the module that the source text hands the arguments to, or the only one inside; None if neither is known."""
    children = dict(module.named_children())
    try:
        found = _HANDED_ON.search(inspect.getsource(module.forward))
    except (OSError, TypeError):
        found = None
    named = children.get(found[1]) if found is not None else None
    return named if named is not None else next(iter(children.values())) if len(children) == 1 else None
