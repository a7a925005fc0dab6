"""A key that modules with the same inputs share: class, code, settings, and shapes of weights.

A search takes a tenth of a second, and many modules have one class and one configuration. The key holds all that can affect a
run without values; a module with a setting that cannot be part of a key has none, and is searched each time.
"""

import enum
import functools
import types
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import nn

from dummyio_torch.calling.meta_copy import iterate_weights
from dummyio_torch.description.signature_arguments import read_signature

_OWN = frozenset(vars(nn.Module()))
"""The attributes that each module has: hooks, its mode, and parts and weights, which the key holds separately."""
_PLAIN = (int, float, complex, str, bytes, type(None), torch.dtype, torch.device, torch.Size, enum.Enum, type)
_CODE = (types.FunctionType, types.BuiltinFunctionType, types.MethodType, types.ModuleType)
_PYTHON_CLASS = 1 << 9
"""The flag of classes that a ``class`` statement makes, Py_TPFLAGS_HEAPTYPE."""
_MAX_ITEMS = 4096
_MAX_DEPTH = 6


class _NoKey(Exception):  # noqa: N818 - a message to the caller, not an error
    """A setting cannot be part of a key."""


def module_key(module: nn.Module, *options: Mapping[str, Any]) -> object | None:
    """Return the key of a module and of the options of its description; None if it has none."""
    try:
        parts: list[object] = [str(read_signature(module)), _freeze(options)]
        for name, part in module.named_modules():
            parts.append((name, type(part), getattr(type(part), "forward", None), part.extra_repr(), _settings(part)))
        parts += [(tuple(tensor.shape), tensor.dtype) for tensor in iterate_weights(module)]
        key = tuple(parts)
        hash(key)
    except (_NoKey, TypeError):
        return None
    return key


def _settings(part: nn.Module) -> object:
    # Layers of PyTorch hold references to their weights and the like too; only their plain settings count.
    own = not type(part).__module__.startswith("torch.nn.")
    held = {name: value for name, value in vars(part).items() if name not in _OWN}
    return tuple((name, _freeze(value)) for name, value in sorted(held.items()) if own or _is_plain(value))


def _is_plain(value: object) -> bool:
    return isinstance(value, (*_PLAIN, *_CODE)) or (isinstance(value, tuple) and all(map(_is_plain, value)))


def _freeze(value: object, depth: int = 0) -> object:
    """Return a hashable stand-in for a value; raise `_NoKey` if there is none."""
    if isinstance(value, (*_PLAIN, *_CODE)):
        return type(value), value
    if isinstance(value, torch.Tensor):
        return "tensor", tuple(value.shape), value.dtype
    if depth > _MAX_DEPTH:
        raise _NoKey
    if isinstance(value, (list, tuple, set, frozenset)) and len(value) <= _MAX_ITEMS:
        items = [_freeze(item, depth + 1) for item in value]
        return type(value), frozenset(items) if isinstance(value, (set, frozenset)) else tuple(items)
    if isinstance(value, Mapping) and len(value) <= _MAX_ITEMS:
        return type(value), tuple((_freeze(k, depth + 1), _freeze(v, depth + 1)) for k, v in value.items())
    if isinstance(value, functools.partial):
        return type(value), _freeze((value.func, value.args, value.keywords), depth + 1)
    return type(value), _freeze(_read_state(value), depth + 1)


def _read_state(value: object) -> Mapping[str, object]:
    """Return the attributes of an object of Python code, which has no other state; raise `_NoKey` for another."""
    stateless = (object, types.SimpleNamespace)
    written = all(kind in stateless or kind.__flags__ & _PYTHON_CLASS for kind in type(value).__mro__)
    if isinstance(value, (type, nn.Module)) or not written:
        raise _NoKey
    if hasattr(value, "__dict__"):
        return vars(value)
    if is_dataclass(value):
        return {field.name: getattr(value, field.name) for field in fields(value)}
    raise _NoKey
