"""The past of Transformers' models, where Transformers is installed; else the tuples that came before it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

__all__ = ["cache"]


def cache(layers: Sequence[Any]) -> Any:
    """Return the past for a model, from one tuple of tensors per layer.

    Keys and values make a ``DynamicCache``; keys and values of self-attention, then of cross-attention, an
    ``EncoderDecoderCache``. Layers of any other form, and all layers where Transformers is not installed, make a tuple.
    """
    sizes = {len(layer) if isinstance(layer, (tuple, list)) else 0 for layer in layers}
    if sizes not in ({2}, {4}) or not _has_transformers():
        return tuple(layers)
    from transformers import DynamicCache, EncoderDecoderCache  # noqa: PLC0415 - for specs that have a past only

    own = DynamicCache(ddp_cache_data=[layer[:2] for layer in layers])
    if sizes == {2}:
        return own
    return EncoderDecoderCache(own, DynamicCache(ddp_cache_data=[layer[2:] for layer in layers]))


@lru_cache(maxsize=1)
def _has_transformers() -> bool:
    return find_spec("transformers") is not None
