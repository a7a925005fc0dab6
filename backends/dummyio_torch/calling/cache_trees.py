"""Caches of Transformers as trees of tensors, as ``torch.export`` needs them for what a model takes and returns.

Transformers registers its caches only in its own exporters. Here a tree has the structure of a spec: for each layer a tuple of keys and
values, or a dict if it has other states.
"""

import copy
import threading
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch.utils import _pytree as pytree

from dummyio_torch.calling.transformers_cache import (
    CROSS_ATTENTION,
    SELF_ATTENTION,
    build_cache,
    has_transformers,
    read_cache,
    select_prefix,
)

_LOCK = threading.Lock()

_Layer = tuple[torch.Tensor, ...] | dict[str, torch.Tensor]
_Names = tuple[tuple[str, ...], ...]
"""The names of the tensors in each layer."""


def register_caches() -> None:
    """Make ``DynamicCache`` and ``EncoderDecoderCache`` trees for PyTorch, in this process; one that is a tree already is left."""
    if not has_transformers():
        return
    from transformers import DynamicCache, EncoderDecoderCache  # noqa: PLC0415 - lazy: only for exports by hand

    with _LOCK:
        for kind in (DynamicCache, EncoderDecoderCache):
            if kind not in pytree.SUPPORTED_NODES:
                pytree.register_pytree_node(
                    kind,
                    _flatten,
                    _unflatten,
                    serialized_type_name=f"transformers.{kind.__name__}",
                    to_dumpable_context=lambda layout: layout.names,
                    from_dumpable_context=lambda names: _Layout(tuple(map(tuple, names))),
                    flatten_with_keys_fn=_flatten_with_keys,
                )


class _Layout:
    """What a cache is without its tensors; two are equal if the names of these are."""

    def __init__(self, names: _Names, empty: Any = None) -> None:
        self.names = names
        self.empty = empty
        """The cache with None for each tensor; None if only the names are known, from a file."""

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Layout) and self.names == other.names

    def __hash__(self) -> int:
        return hash(self.names)

    def __deepcopy__(self, memo: object) -> "_Layout":
        """Return the layout itself: exporters copy a program, and tensors of a trace cannot be copied."""
        return self

    def __repr__(self) -> str:
        return f"_Layout({self.names})"


def _flatten(cache: Any) -> tuple[list[_Layer], _Layout]:
    layers = read_cache(cache, states=True) or []
    empty = _replace_tensors(cache, [dict.fromkeys(layer) for layer in layers])
    plain = all(
        name.endswith(("key", "value")) and not name.startswith("indexer") for layer in layers for name in layer
    )
    found: list[_Layer] = [tuple(layer.values()) for layer in layers] if plain else [*layers]
    return found, _Layout(tuple(map(tuple, layers)), empty)


def _flatten_with_keys(cache: Any) -> tuple[list[tuple[Any, _Layer]], _Layout]:
    layers, layout = _flatten(cache)
    return [(pytree.SequenceKey(number), layer) for number, layer in enumerate(layers)], layout


def _unflatten(layers: Iterable[Any], layout: _Layout) -> Any:
    named = [
        layer if isinstance(layer, Mapping) else dict(zip(names, layer, strict=True))
        for names, layer in zip(layout.names, layers, strict=True)
    ]
    return build_cache(named) if layout.empty is None else _replace_tensors(layout.empty, named)


def _replace_tensors(cache: Any, layers: Sequence[Mapping[str, Any]]) -> Any:
    """Return a copy of a cache with other tensors, made without operations of PyTorch: a trace would record them."""
    made = copy.copy(cache)
    if hasattr(cache, "self_attention_cache"):
        made.self_attention_cache = _replace_tensors(cache.self_attention_cache, select_prefix(layers, SELF_ATTENTION))
        made.cross_attention_cache = _replace_tensors(
            cache.cross_attention_cache, select_prefix(layers, CROSS_ATTENTION)
        )
        made.is_updated = dict(cache.is_updated)
    else:
        made.layers = [_replace_layer(*pair) for pair in zip(cache.layers, layers, strict=False)]
    return made


def _replace_layer(layer: Any, tensors: Mapping[str, Any]) -> Any:
    made = copy.copy(layer)
    for name, tensor in tensors.items():
        old = getattr(layer, f"{name}s")
        setattr(made, f"{name}s", {**old, 0: tensor} if isinstance(old, dict) else tensor)
    return made
