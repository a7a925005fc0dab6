"""Arguments that a module draws at random where its caller leaves them out: ``if noise is None: noise = torch.rand(...)``."""

import inspect
import re
from collections.abc import Collection

from torch import nn

_DRAWN = re.compile(r"if (?P<name>\w+) is None:\s+(?P=name) = torch\.rand\w*\(")


def find_random_arguments(module: nn.Module, fed: Collection[str]) -> tuple[str, ...]:
    """Return the names of the arguments of a module, not `fed`, that it or one of its parts draws at random."""
    own = inspect.signature(module.forward).parameters.keys() - set(fed)
    classes = dict.fromkeys(base for part in module.modules() for base in type(part).__mro__ if base is not object)
    drawn = (match["name"] for each in classes for match in _DRAWN.finditer(_read_source(each)))
    return tuple(dict.fromkeys(name for name in drawn if name in own))


def _read_source(model_class: type) -> str:
    if model_class.__module__.partition(".")[0] in ("torch", "builtins"):
        return ""
    try:
        return inspect.getsource(model_class)
    except (OSError, TypeError):  # no file has its text
        return ""
