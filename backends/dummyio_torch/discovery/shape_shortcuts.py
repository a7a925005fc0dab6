"""Results of operations without memory, for operations that take PyTorch milliseconds or run step by step.

They are computed for usual operands only. In all other cases the result is None, and the operation itself runs and raises.
"""

from typing import Any

import torch

_RECURRENT = frozenset({"lstm", "gru", "rnn_tanh", "rnn_relu"})
_KEEPS = frozenset(
    "layer_norm rms_norm batch_norm group_norm dropout relu gelu silu softmax log_softmax sigmoid tanh elu leaky_relu mish".split()  # noqa: SIM905
)
"""Operations whose result has the shape of their first operand."""
_TERMS = frozenset("add __add__ __radd__ sub __sub__ mul __mul__ __rmul__ div __truediv__".split())  # noqa: SIM905
_PRODUCTS = frozenset({"matmul", "__matmul__", "bmm"})


def infer_result_shape(name: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """Return the result of an operation on tensors without memory, whose operands the rules have checked; None if unknown."""
    x = args[0] if args else None
    if not isinstance(x, torch.Tensor) or not x.is_meta:
        return None
    if name in _KEEPS and x.dtype.is_floating_point and not kwargs.get("inplace"):
        return torch.empty_like(x)
    if name == "linear" and len(args) > 1 and x.ndim and x.shape[-1] == args[1].shape[-1]:
        return x.new_empty((*x.shape[:-1], args[1].shape[0]))
    if name in _TERMS and len(args) == 2 and not kwargs:
        return _term(x, args[1])
    if name in _PRODUCTS and len(args) == 2 and not kwargs:
        return _product(x, args[1])
    if name in _RECURRENT and len(args) == 9:
        return _recurrent(name, *args)
    if name == "multi_head_attention_forward" and len(args) == 13:
        return _attention(*args, **kwargs)
    return None


def _product(x: torch.Tensor, other: Any) -> torch.Tensor | None:
    usual = (
        isinstance(other, torch.Tensor)
        and other.is_meta
        and x.ndim == other.ndim >= 2
        and x.shape[:-2] == other.shape[:-2]
        and x.shape[-1] == other.shape[-2]
        and x.dtype == other.dtype
    )
    return x.new_empty((*x.shape[:-1], other.shape[-1])) if usual else None


def _term(x: torch.Tensor, other: Any) -> torch.Tensor | None:
    if type(other) in (int, float):
        return torch.empty_like(x) if x.dtype.is_floating_point else None
    alike = isinstance(other, torch.Tensor) and other.is_meta and other.shape == x.shape and other.dtype == x.dtype
    return torch.empty_like(x) if alike and x.dtype.is_floating_point else None


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


def _attention(query: Any, key: Any, value: Any, features: int, heads: int, *rest: Any, **named: Any) -> Any:
    """Leave out all between operands, of shape (length, batch, features) each, and result."""
    projection, _, *extra = rest[:5]  # weights and bias in one, then what is put behind keys and values
    length, batch = query.shape[:2]
    lengths = key.shape[0] if key.ndim else 0
    usual = (
        projection is not None
        and extra == [None, None, False]
        and query.ndim == 3
        and query.shape[2] == features
        and key.shape == value.shape == (lengths, batch, features)
        and query.dtype == key.dtype == value.dtype == projection.dtype
        and not named.get("is_causal")
        and named.get("static_k") is None
        and named.get("static_v") is None
        and _is_mask(named.get("key_padding_mask"), [(batch, lengths)], query)
        and _is_mask(named.get("attn_mask"), [(length, lengths), (batch * heads, length, lengths)], query)
    )
    if not usual:
        return None
    between = (batch, length, lengths) if named.get("average_attn_weights", True) else (batch, heads, length, lengths)
    return torch.empty_like(query), query.new_empty(between) if named.get("need_weights", True) else None


def _is_mask(mask: Any, shapes: list[tuple[int, ...]], like: torch.Tensor) -> bool:
    return mask is None or (mask.shape in shapes and mask.dtype in (torch.bool, like.dtype))
