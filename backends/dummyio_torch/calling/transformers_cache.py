"""The past of Transformers' models, where Transformers is installed; else the layers as they came."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

from dummyio.errors import NotInstalledError

__all__ = ["cache"]

_KEPT = frozenset({"key", "value", "length", "indexer_key", "conv_state", "recurrent_state"})
_OWN, _CROSS = "decoder.", "encoder."


def cache(layers: Sequence[Any]) -> Any:
    """Return the past for a model, from one tuple of tensors per layer, or from one dict of named tensors.

    Keys and values make a ``DynamicCache``; keys and values of self-attention, then of cross-attention, an
    ``EncoderDecoderCache``. Dicts have names for what a layer keeps: with ``length`` keys and values are those of a
    ``StaticCache``; ``indexer_key`` is what indexed attention keeps besides, and ``conv_state`` and ``recurrent_state`` what
    a recurrence keeps, in a cache of either class.
    Layers of any other form, and all layers where Transformers is not installed, make a tuple.
    """
    if not layers or not _has_transformers():
        return tuple(layers)
    if all(isinstance(layer, Mapping) for layer in layers):
        both = _parts(layers, _OWN), _parts(layers, _CROSS)
        if all(both):
            return _beside_encoder(*map(_named, both))
        return _named(layers) if all(_KEPT.issuperset(layer) for layer in layers) else tuple(layers)
    sizes = {len(layer) if isinstance(layer, (tuple, list)) else 0 for layer in layers}
    if sizes not in ({2}, {4}):
        return tuple(layers)
    from transformers import DynamicCache  # noqa: PLC0415 - for specs that have a past only

    own = DynamicCache(ddp_cache_data=[layer[:2] for layer in layers])
    return own if sizes == {2} else _beside_encoder(own, DynamicCache(ddp_cache_data=[layer[2:] for layer in layers]))


def _beside_encoder(own: Any, cross: Any) -> Any:
    from transformers import EncoderDecoderCache  # noqa: PLC0415 - for specs that have a past only

    return EncoderDecoderCache(own, cross)


def _parts(layers: Iterable[Mapping[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """Return what layers keep under names with a prefix, without it; nothing where none has such names."""
    parts = [
        {name.removeprefix(prefix): kept for name, kept in layer.items() if name.startswith(prefix)} for layer in layers
    ]
    return parts if any(parts) else []


def _named(layers: Sequence[Mapping[str, Any]]) -> Any:
    """Return a cache whose layers keep keys and values, a state, both, or nothing."""
    try:
        from transformers import StaticCache, cache_utils  # noqa: PLC0415 - for specs that have a past only

        made = [_layer(cache_utils, layer) for layer in layers]
    except (ImportError, AttributeError, TypeError) as error:
        raise NotInstalledError(
            "a static past, and one with states of recurrent layers, need a release of Transformers whose caches are made of "
            f"layers that hold these (5 or newer): {error}. Install it: pip install -U transformers"
        ) from error
    fixed = any("length" in layer for layer in layers)
    # A configuration, which these classes want, is needed to make layers only.
    kind = StaticCache if fixed else cache_utils.DynamicCache
    filled = kind.__new__(kind)
    cache_utils.Cache.__init__(filled, layers=made)
    return filled


def _layer(kinds: Any, kept: Mapping[str, Any]) -> Any:
    """Return one layer of a cache that holds what is named."""
    layer = _kind(kinds, kept)
    if "length" in kept:
        _fill(layer, kept)
    elif "key" in kept:
        layer.update(kept["key"], kept["value"])
        if "indexer_key" in kept:
            layer.update_indexer(kept["indexer_key"])
    if "conv_state" in kept:
        layer.update_conv_state(kept["conv_state"])
    if "recurrent_state" in kept:
        layer.update_recurrent_state(kept["recurrent_state"])
        # A recurrence without a convolution before it has nothing else that says so.
        layer.has_previous_state[0] = True
    return layer


def _kind(kinds: Any, kept: Mapping[str, Any]) -> Any:
    """Return an empty layer of the class that keeps what is named."""
    recurs, indexed = any(name.endswith("_state") for name in kept), "indexer_key" in kept
    if "length" in kept:
        own = kinds.StaticIndexedLayer if indexed else kinds.StaticLayer
        kind = kinds.LinearAttentionAndStaticFullAttentionLayer if recurs else own
        return kind(max_cache_len=kept["key"].shape[-2])
    if "key" in kept:
        own = kinds.DynamicIndexedLayer if indexed else kinds.DynamicLayer
        return (kinds.LinearAttentionAndFullAttentionLayer if recurs else own)()
    return (kinds.LinearAttentionLayer if recurs else kinds.DummyLayer)()


def _fill(layer: Any, kept: Mapping[str, Any]) -> None:
    """Put keys and values into a layer of a fixed length, whose own tensors are written to and never replaced."""
    layer.lazy_initialization(kept["key"], kept["value"])
    layer.keys.copy_(kept["key"])
    layer.values.copy_(kept["value"])
    layer.cumulative_length.copy_(kept["length"].reshape(()))
    if "indexer_key" in kept:
        layer.lazy_initialization_indexer(kept["indexer_key"])
        layer.indexer_keys.copy_(kept["indexer_key"])
        layer.indexer_cumulative_length.copy_(layer.cumulative_length)


@lru_cache(maxsize=1)
def _has_transformers() -> bool:
    return find_spec("transformers") is not None
