"""The geometry of the attention caches of a model, from its configuration.

One mechanism for every kind of attention: a layer keeps some heads of a key size and a value size. Which, follows from
attributes alone; each may be one number, a list with a number per layer, or have its own name for one kind of layer.

- heads: ``num_key_value_heads`` under its many names; 1 with ``multi_query`` (unless ``new_decoder_architecture``);
  else as many as there are query heads.
- sizes: ``head_dim`` under its many names, else hidden size // heads; values may have a ``v_head_dim`` of their own.
- keys with a part for positions (``qk_rope_head_dim``) and one without (``qk_nope_head_dim``): their sum, in every query
  head. Where a model keeps the low-rank form instead (`latent`), one head: ``kv_lora_rank`` and ``qk_rope_head_dim``.
- layers after the last with a cache of its own (``num_kv_shared_layers``) keep nothing; nor do those without attention.
- layers of a recurrence or a convolution keep a state instead, or, where they attend too, besides.
- layers that choose what they attend to keep the keys of the indexer that does (``index_head_dim``), unless they share it.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from dummyio.errors import SourceError
from dummyio.model_config.normalized_config import NormalizedConfig

_OWN_NAMES: Mapping[str, Mapping[str, str]] = {
    "sliding_attention": {
        "decoder_num_key_value_heads": "swa_num_key_value_heads",
        "head_dim": "swa_head_dim",
        "v_head_dim": "swa_v_head_dim",
    },
    "full_attention": {"decoder_num_key_value_heads": "num_global_key_value_heads", "head_dim": "global_head_dim"},
}
"""Kind of layer → attribute → the name that configurations use for it in these layers only."""

ATTENTION_LAYER_TYPES = ("sliding_attention", "chunked_attention", "full_attention", "attention", "indexed_attention")
"""Kinds of layers whose state is keys and values."""
_WINDOWED = ("sliding_attention", "chunked_attention", "hybrid_sliding")
_RECURRENT = ("linear_attention", "conv")
_HYBRID = ("hybrid", "hybrid_sliding")
_NOTHING = ("moe", "mlp")
DESCRIBED = frozenset((*ATTENTION_LAYER_TYPES, *_RECURRENT, *_HYBRID, *_NOTHING))
"""Kinds of layers of which it is known what they keep, though not always its shape."""


@dataclass(frozen=True, slots=True)
class Layer:
    """What one layer keeps of each position: `heads` keys and values of these sizes; `window` positions see each other.

    Without heads it keeps neither keys nor values. With `state` there is a state of a fixed size, alone or in addition to them; with
    `indexer` a key of that size for each position too.
    """

    heads: int
    key_dim: int
    value_dim: int
    window: int | None = None
    state: bool = False
    indexer: int | None = None

    @property
    def plain(self) -> bool:
        """Whether it keeps keys and values and nothing else."""
        return bool(self.heads) and not self.state and self.indexer is None


def self_layers(
    config: NormalizedConfig, *, latent: bool = False, states: bool = False, indexer: bool = False
) -> tuple[Layer, ...]:
    """Return the layers of a decoder's self-attention, with `states` those too that keep something else.

    With `indexer`, layers of indexed attention keep its keys.

    Raises
    ------
    SourceError
        if the configuration leaves out what is needed, or a layer keeps a state that is not keys and values.
    """
    decoder = config.part("decoder")
    kinds = _kinds(decoder, DESCRIBED if states else ATTENTION_LAYER_TYPES)
    views = [_View(decoder, place, kind) for place, kind in enumerate(kinds)]
    layers = (_self_layer(view, latent=latent) for view in views)
    return (
        tuple(replace(layer, indexer=_indexer(view)) for view, layer in zip(views, layers, strict=True))
        if indexer
        else tuple(layers)
    )


def has_recurrent_layers(config: NormalizedConfig) -> bool:
    """Whether some layer of a configuration is named as one of a recurrence or a convolution."""
    return any(kind in (*_RECURRENT, *_HYBRID) for kind in _declared(config.part("decoder")))


def cross_layers(config: NormalizedConfig) -> tuple[Layer, ...]:
    """Return the layers of a decoder's attention to its encoder: the decoder's own heads, unless it names others for it."""
    decoder = config.part("decoder")
    heads = decoder.get("cross_num_key_value_heads")
    size = decoder.get("cross_head_dim")
    layers = self_layers(config)
    return tuple(Layer(heads or layer.heads, size or layer.key_dim, size or layer.value_dim) for layer in layers)


def past_limit(config: NormalizedConfig) -> int | None:
    """Return how many positions every layer can keep: one fewer than the narrowest window, or None without windows."""
    decoder = config.part("decoder")
    window = _window(decoder)
    if window is None or not any(kind in _WINDOWED for kind in _declared(decoder) or ("sliding_attention",)):
        return None
    # The window counts the position that looks, so what is kept of the past is one shorter.
    return max(window - 1, 0)


def _window(config: NormalizedConfig) -> int | None:
    window = config.get("sliding_window") if config.get("use_sliding_window") is not False else None
    return window if isinstance(window, int) and window > 0 else None


def _declared(config: NormalizedConfig) -> tuple[str, ...]:
    kinds = config.get("layer_types")
    if isinstance(kinds, Sequence) and not isinstance(kinds, str):
        return tuple(kinds)
    period, count = config.get("attn_layer_period"), config.get("num_layers")
    if not isinstance(period, int) or not isinstance(count, int):
        return ()
    # Every so many layers one with attention, the others with a recurrent state.
    offset = config.integer("attn_layer_offset", 0)
    return tuple("full_attention" if place % period == offset else "linear_attention" for place in range(count))


def _kinds(config: NormalizedConfig, known: Collection[str]) -> list[str]:
    """Return the kind of each layer that has a cache of its own."""
    declared = list(_declared(config))
    count = config.get("decoder_num_layers", len(declared) or None)
    if count is None:
        count = config.integer("num_layers")
    # A configuration that was made for tests has fewer layers than its class has kinds: a model takes the first ones.
    if declared and len(declared) < count:
        raise SourceError(
            f"the configuration lists the kinds of {len(declared)} layers, and has {count} layers: each layer needs one. Correct "
            "layer_types or the number of layers."
        )
    default = "full_attention" if _window(config) is None else "sliding_attention"
    kinds = declared or [default] * count
    kinds = kinds[: max(count - config.integer("num_kv_shared_layers", 0), 0)]
    for place, kind in enumerate(kinds):
        if kind not in known:
            raise SourceError(
                f"layer {place} of the configuration is of type {kind!r}, whose state is not keys and values: only "
                f"{', '.join(sorted(known))} are described. Describe the model without its past (a task without "
                "'-with-past')."
            )
    return kinds


@dataclass(frozen=True, slots=True)
class _View:
    """A configuration as one layer sees it."""

    config: NormalizedConfig
    place: int
    kind: str

    def get(self, name: str) -> Any:
        """Return an attribute: of this layer alone, of this kind of layer, or of all."""
        own = _OWN_NAMES.get(self.kind, {}).get(name)
        for value in (self._override(name), self.config.raw(own) if own else None, self.config.get(name)):
            own_value = self._of_list(value) if isinstance(value, (list, tuple)) else value
            if own_value is not None:
                return own_value
        return None

    def _of_list(self, values: Sequence[Any]) -> Any:
        return values[self.place] if self.place < len(values) else None

    def _override(self, name: str) -> Any:
        layers = self.config.raw("per_layer_config")
        if isinstance(layers, Mapping):
            layer = {int(key): value for key, value in layers.items()}.get(self.place)
        else:
            layer = layers[self.place] if isinstance(layers, Sequence) and self.place < len(layers) else None
        return NormalizedConfig(layer).get(name) if layer is not None else None

    def integer(self, name: str, *others: str) -> int:
        """Return a whole number under the first of these names that there is."""
        for each in (name, *others):
            value = self.get(each)
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
        return self.config.integer(name)  # which says what is missing, or wrong


def _self_layer(view: _View, *, latent: bool) -> Layer:
    if view.kind in (*_RECURRENT, *_NOTHING):
        return Layer(0, 0, 0, state=view.kind in _RECURRENT)
    layer = _attending(view, latent=latent)
    return replace(layer, state=True) if view.kind in _HYBRID else layer


def _indexer(view: _View) -> int | None:
    """Return the size of an indexer's keys; None if a layer has no indexer of its own."""
    own = view.kind == "indexed_attention" and view.get("indexer_types") != "shared"
    return view.integer("index_head_dim") if own else None


def _attending(view: _View, *, latent: bool) -> Layer:
    heads = view.integer("decoder_num_attention_heads", "num_attention_heads")
    window = _window(view.config) if view.kind in _WINDOWED else None
    rotated, plain = view.get("qk_rope_head_dim"), view.get("qk_nope_head_dim")
    if rotated and latent:
        return Layer(1, view.integer("kv_lora_rank"), rotated, window)
    if rotated and plain:
        return Layer(heads, rotated + plain, view.integer("v_head_dim"), window)
    size = view.get("head_dim") or view.integer("hidden_size") // heads
    if not size:
        raise SourceError(
            f"the configuration has hidden_size={view.integer('hidden_size')} for {heads} heads: each needs at least one feature. "
            "Correct hidden_size or the number of heads, or add head_dim."
        )
    return Layer(_kept_heads(view, heads), size, view.get("v_head_dim") or size, window)


def _kept_heads(view: _View, heads: int) -> int:
    if view.get("multi_query") is True and not view.get("new_decoder_architecture"):
        return 1
    if view.get("multi_query_attention") is False:  # a number of groups may stand there nevertheless
        return heads
    kept: int = view.get("decoder_num_key_value_heads") or heads
    return kept
