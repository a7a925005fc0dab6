"""Results of operations without memory, for operations that take PyTorch milliseconds or run step by step.

The shape of a result is computed here for usual operands of some operations. That of any other is kept: the blocks of a model are
alike, and one run differs from the next in one size only. In all other cases the operation itself runs, and raises.
"""

from collections.abc import Iterator
from typing import Any

import torch

_RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_KEEPS = frozenset(
    "layer_norm rms_norm batch_norm group_norm dropout relu gelu silu softmax log_softmax sigmoid tanh elu leaky_relu mish".split()  # noqa: SIM905
)
"""Operations whose result has the shape of their first operand."""
_TERMS = frozenset("add __add__ __radd__ sub __sub__ mul __mul__ __rmul__ div __truediv__".split())  # noqa: SIM905
_ATOMS = frozenset({int, float, bool, str, type(None), torch.dtype, torch.device, torch.memory_format, torch.Size})
_KEPT: dict[object, Any] = {}
"""An operation and its operands → the shapes of its result."""
_MAX_KEPT = 1 << 14


def call_on_shapes(func: Any, name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation, whose operands the rules have checked; it runs unless its shape is known."""
    if not args or not isinstance(args[0], torch.Tensor) or not args[0].is_meta:
        return func(*args, **kwargs)
    result = infer_result_shape(name, args, kwargs)
    if result is not None:
        return result
    try:
        key = (func, *_freeze((args, kwargs)))
        plan = _KEPT.get(key)
    except TypeError:  # operands with values, or of unknown kinds
        return func(*args, **kwargs)
    if plan is None:
        result = func(*args, **kwargs)
        plan = _plan(result, {_storage(tensor) for tensor in _tensors((args, kwargs))})
        if len(_KEPT) >= _MAX_KEPT:
            _KEPT.clear()
        _KEPT[key] = plan or False
        return result
    return _make(plan) if plan else func(*args, **kwargs)


def _freeze(value: Any) -> Iterator[object]:
    """Yield what determines the shapes of a result; raise `TypeError` for a value that may depend on more."""
    kind = type(value)
    if isinstance(value, torch.Tensor):
        if not value.is_meta or value.layout is not torch.strided:
            raise TypeError
        yield value.shape
        yield value.stride()
        yield value.dtype
    elif kind in _ATOMS:
        yield kind
        yield value
    elif kind is tuple or kind is list or kind is dict:
        yield kind, len(value)
        for item in value.items() if kind is dict else value:
            yield from _freeze(item)
    else:
        raise TypeError


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (tuple, list, dict)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from _tensors(item)


def _storage(tensor: torch.Tensor) -> int:
    return int(tensor.untyped_storage()._cdata)  # noqa: SLF001 - no public way to compare storages without memory


def _plan(result: Any, known: set[int]) -> Any:
    """Return how to make a result; None for a view of an operand, and for what is not tensors alone."""
    if type(result) is torch.Tensor:
        usual = result.is_meta and result.layout is torch.strided and _storage(result) not in known
        return (result.shape, result.stride(), result.dtype) if usual else None
    if type(result) is tuple and result:
        items = [_plan(item, known) if item is not None else () for item in result]
        return None if None in items else items
    return None


def _make(plan: Any) -> Any:
    if isinstance(plan, list):
        return tuple(_make(item) if item else None for item in plan)
    shape, stride, dtype = plan
    return torch.empty_strided(shape, stride, dtype=dtype, device="meta")


def infer_result_shape(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation on tensors without memory by a rule; None if there is none for these operands."""
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or not x.is_meta or not x.dtype.is_floating_point:
        return None
    if name in _KEEPS and not kwargs.get("inplace"):
        return torch.empty_like(x)
    if name == "linear" and len(args) > 1 and x.ndim and x.shape[-1] == args[1].shape[-1]:
        return x.new_empty((*x.shape[:-1], args[1].shape[0]))
    if name in _TERMS and len(args) == 2 and not kwargs:
        return _term(x, args[1])
    if name in _RECURRENT and len(args) == 9:
        return _recurrent(name, *args)
    if name == "interpolate" and len(args) == 1:
        return _resized(x, **kwargs)
    return None


def _term(x: torch.Tensor, other: Any) -> torch.Tensor | None:
    if type(other) in (int, float):
        return torch.empty_like(x)
    alike = isinstance(other, torch.Tensor) and other.is_meta and other.shape == x.shape and other.dtype == x.dtype
    return torch.empty_like(x) if alike else None


def _resized(x: torch.Tensor, size: Any = None, scale_factor: Any = None, **_: Any) -> torch.Tensor | None:
    """Leave out the places and weights of each element."""
    edges, given = x.shape[2:], scale_factor if size is None else size
    many = list(given) if isinstance(given, (tuple, list)) else [given] * len(edges)
    if not edges or len(many) != len(edges) or not all(type(each) in (int, float) for each in many):
        return None
    sizes = many if size is not None else [int(edge * factor) for edge, factor in zip(edges, many, strict=True)]
    return x.new_empty((*x.shape[:2], *sizes)) if min(sizes) > 0 else None


def _recurrent(name: str, x: torch.Tensor, state: Any, weights: Any, *rest: Any) -> Any:
    """Leave out the steps, of which there are as many as the sequence is long."""
    _, layers, _, _, both, first = rest
    ways = 2 if both else 1
    hidden = weights[1].shape[-1]
    batch = x.shape[0 if first else 1] if x.ndim == 3 else 0
    h = (state[0] if name == "lstm" else state).shape[-1]
    states = (layers * ways, *((batch,) if batch else ()))
    out = x.new_empty((*x.shape[:-1], h * ways))
    last = x.new_empty((*states, h))
    return (out, last, x.new_empty((*states, hidden))) if name == "lstm" else (out, last)
