"""The past of Transformers models, as the cache classes of the installed Transformers; without it, as plain tuples."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from importlib.util import find_spec
from typing import Any

import torch

from dummyio.errors import NotInstalledError

_STATES = frozenset({"key", "value", "length", "indexer_key", "conv_state", "recurrent_state"})
SELF_ATTENTION, CROSS_ATTENTION = "decoder.", "encoder."


def build_cache(layers: Sequence[Any]) -> Any:
    """Return the past for a model, from one tuple of tensors for each layer, or from one dict of named tensors.

    Keys and values make a ``DynamicCache``; keys and values of self-attention, then of cross-attention, an
    ``EncoderDecoderCache``. In a dict, ``length`` makes the keys and values those of a ``StaticCache``; ``indexer_key`` is the
    state of indexed attention, and ``conv_state`` and ``recurrent_state`` are those of a recurrence, in a cache of either
    class. Layers of any other form, and all layers if Transformers is not installed, make a tuple.

    Raises
    ------
    NotInstalledError
        if the installed Transformers is too old for caches made of named tensors.
    """
    if not layers or not has_transformers():
        return tuple(layers)
    if all(isinstance(layer, Mapping) for layer in layers):
        both = select_prefix(layers, SELF_ATTENTION), select_prefix(layers, CROSS_ATTENTION)
        if all(both):
            return _join_caches(*map(_build_named_cache, both))
        return _build_named_cache(layers) if all(_STATES.issuperset(layer) for layer in layers) else tuple(layers)
    lengths = {len(layer) if isinstance(layer, (tuple, list)) else 0 for layer in layers}
    if lengths not in ({2}, {4}):
        return tuple(layers)
    from transformers import DynamicCache  # noqa: PLC0415 - lazy: for specs that have a past only

    own = DynamicCache(ddp_cache_data=[layer[:2] for layer in layers])
    if lengths == {2}:
        return own
    return _join_caches(own, DynamicCache(ddp_cache_data=[layer[2:] for layer in layers]))


def read_cache(value: Any, *, states: bool = False) -> list[dict[str, torch.Tensor]] | None:
    """Return the keys and values in each layer of a Transformers cache, by their names; None for an object of another kind.

    With `states` also what an indexer and a recurrence keep. A graph does not return these: what some models compute from states of
    zeros is not what they compute without a past, so a graph with a past cannot begin with its own states.
    """
    own = getattr(value, "self_attention_cache", None)
    cross = getattr(value, "cross_attention_cache", None)
    if own is not None and cross is not None:
        caches = {SELF_ATTENTION: own, CROSS_ATTENTION: cross}
    elif hasattr(value, "layers") and hasattr(value, "get_seq_length"):
        caches = {"": value}
    else:
        return None
    return [
        {
            f"{prefix}{name}": tensor
            for prefix, layer in zip(caches, layers, strict=True)
            for name, tensor in _read_layer(layer).items()
            if states or name in ("key", "value")
        }
        for layers in zip(*(cache.layers for cache in caches.values()), strict=False)
    ]


def _read_layer(layer: Any) -> dict[str, torch.Tensor]:
    """Return the tensors of a layer: keys and values, those of an indexer, the states of a recurrence."""
    found = {name: getattr(layer, f"{name}s", None) for name in ("key", "value", "indexer_key")}
    for name in ("conv_state", "recurrent_state"):
        states = getattr(layer, f"{name}s", None)
        found[name] = states.get(0) if isinstance(states, dict) and len(states) == 1 else None
    return {name: tensor for name, tensor in found.items() if isinstance(tensor, torch.Tensor)}


def _join_caches(own: Any, cross: Any) -> Any:
    from transformers import EncoderDecoderCache  # noqa: PLC0415 - lazy: for specs that have a past only

    return EncoderDecoderCache(own, cross)


def select_prefix(layers: Iterable[Mapping[str, Any]], prefix: str) -> list[dict[str, Any]]:
    """Return the tensors of layers whose names have a prefix, without it; nothing if there are none in any layer."""
    selected = [
        {name.removeprefix(prefix): tensor for name, tensor in layer.items() if name.startswith(prefix)}
        for layer in layers
    ]
    return selected if any(selected) else []


def _build_named_cache(layers: Sequence[Mapping[str, Any]]) -> Any:
    """Return a cache whose layers have keys and values, a state, both, or nothing."""
    try:
        from transformers import StaticCache, cache_utils  # noqa: PLC0415 - lazy: for specs that have a past only

        built = [_build_layer(cache_utils, layer) for layer in layers]
    except (ImportError, AttributeError, TypeError) as error:
        raise NotInstalledError(
            "a static past, and one with states of recurrent layers, need a release of Transformers whose caches consist of "
            f"layers for these (5 or newer): {error}. Install it: pip install -U transformers"
        ) from error
    is_static = any("length" in layer for layer in layers)
    # Their constructors need a configuration, but only to make the layers.
    kind = StaticCache if is_static else cache_utils.DynamicCache
    cache = kind.__new__(kind)
    cache_utils.Cache.__init__(cache, layers=built)
    return cache


def _build_layer(kinds: Any, tensors: Mapping[str, Any]) -> Any:
    """Return a layer of a cache that holds the named tensors."""
    layer = _make_empty_layer(kinds, tensors)
    if "length" in tensors:
        _fill_static_layer(layer, tensors)
    elif "key" in tensors:
        layer.update(tensors["key"], tensors["value"])
        if "indexer_key" in tensors:
            layer.update_indexer(tensors["indexer_key"])
    if "conv_state" in tensors:
        layer.update_conv_state(tensors["conv_state"])
    if "recurrent_state" in tensors:
        layer.update_recurrent_state(tensors["recurrent_state"])
        # Nothing else declares the state of a recurrence without a convolution before it.
        layer.has_previous_state[0] = True
    return layer


def _make_empty_layer(kinds: Any, tensors: Mapping[str, Any]) -> Any:
    recurs, indexed = any(name.endswith("_state") for name in tensors), "indexer_key" in tensors
    if "length" in tensors:
        own = kinds.StaticIndexedLayer if indexed else kinds.StaticLayer
        kind = kinds.LinearAttentionAndStaticFullAttentionLayer if recurs else own
        return kind(max_cache_len=tensors["key"].shape[-2])
    if "key" in tensors:
        own = kinds.DynamicIndexedLayer if indexed else kinds.DynamicLayer
        return (kinds.LinearAttentionAndFullAttentionLayer if recurs else own)()
    return (kinds.LinearAttentionLayer if recurs else kinds.DummyLayer)()


def _fill_static_layer(layer: Any, tensors: Mapping[str, Any]) -> None:
    """Put keys and values into a layer of a fixed length: models write on its tensors and never replace them."""
    layer.lazy_initialization(tensors["key"], tensors["value"])
    layer.keys.copy_(tensors["key"])
    layer.values.copy_(tensors["value"])
    layer.cumulative_length.copy_(tensors["length"].reshape(()))
    if "indexer_key" in tensors:
        layer.lazy_initialization_indexer(tensors["indexer_key"])
        layer.indexer_keys.copy_(tensors["indexer_key"])
        layer.indexer_cumulative_length.copy_(layer.cumulative_length)


@lru_cache(maxsize=1)
def has_transformers() -> bool:
    """Whether Transformers is installed."""
    return find_spec("transformers") is not None
