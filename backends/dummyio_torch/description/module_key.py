"""What two modules with the same inputs have in common, as a key: class, code, settings, and shapes of weights.

Probing takes a tenth of a second, and many modules are made of one class with one configuration. A key says all that can
steer a run without values; a module that holds what cannot be written down has none, and is probed each time.
"""

from __future__ import annotations

import enum
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

from dummyio_torch.calling.meta_copy import iterate_weights
from dummyio_torch.description.signature_arguments import signature_of

__all__ = ["module_key"]

_OWN = frozenset(vars(nn.Module()))
"""What every module has: its hooks, whether it trains, and parts and weights, which are looked at by themselves."""
_PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, enum.Enum, type)
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)
_LONG = 4096
_DEEP = 6


class _NoKey(Exception):  # noqa: N818 - a message to the caller, not an error
    """Something cannot be written down."""


def module_key(module: nn.Module, *options: Mapping[str, Any]) -> object | None:
    """Return the key of a module and of the options of its description; None where there is none."""
    try:
        parts: list[object] = [str(signature_of(module)), _written(options)]
        for name, part in module.named_modules():
            parts.append((name, type(part), getattr(type(part), "forward", None), part.extra_repr(), _settings(part)))
        parts += [(tuple(tensor.shape), tensor.dtype) for tensor in iterate_weights(module)]
        key = tuple(parts)
        hash(key)
    except (_NoKey, TypeError):
        return None
    return key


def _settings(part: nn.Module) -> object:
    # PyTorch's own layers hold references to their weights and the like beside what counts, which is plain.
    own = not type(part).__module__.startswith("torch.nn.")
    held = {name: value for name, value in vars(part).items() if name not in _OWN}
    return tuple((name, _written(value)) for name, value in sorted(held.items()) if own or _is_plain(value))


def _is_plain(value: object) -> bool:
    return isinstance(value, (*_PLAIN, *_CODE)) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def _written(value: object, depth: int = 0) -> object:
    """Return what can be compared instead of a value; raise `_NoKey` where nothing can."""
    if isinstance(value, (*_PLAIN, *_CODE)):
        return type(value), value
    if isinstance(value, torch.Tensor):
        return "tensor", tuple(value.shape), value.dtype
    if depth > _DEEP:
        raise _NoKey
    if isinstance(value, (list, tuple, set, frozenset)) and len(value) <= _LONG:
        items = [_written(item, depth + 1) for item in value]
        return type(value), frozenset(items) if isinstance(value, (set, frozenset)) else tuple(items)
    if isinstance(value, Mapping) and len(value) <= _LONG:
        return type(value), tuple((_written(k, depth + 1), _written(v, depth + 1)) for k, v in value.items())
    if is_dataclass(value) and not isinstance(value, type):
        return type(value), tuple((f.name, _written(getattr(value, f.name), depth + 1)) for f in fields(value))
    if isinstance(value, types.SimpleNamespace):
        return type(value), _written(vars(value), depth + 1)
    raise _NoKey
