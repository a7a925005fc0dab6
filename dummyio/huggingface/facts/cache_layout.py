"""Facts about the cache of a model from its source text: the form in which keys and values are stored."""

import re
from functools import lru_cache

_LATENT = re.compile(r"\b(\w+) = [^\n]*\.view\([^)\n]*\b1, \w+, (?:self|config)\.kv_lora_rank\)")
"""A view as one head of the low rank."""
_KEPT = re.compile(r"past_key_values?\.update\(\s*(\w+),")
_INDEXED = "past_key_values.update_indexer("
_STORED = re.compile(r"past_key_values\.update_indexer\(\s*(\w+),")
_SQUEEZED = re.compile(r"\n +(\w+) = [^\n]*\.squeeze\(2\)\s")


@lru_cache(maxsize=64)
def caches_latent_attention(text: str) -> bool:
    """Return whether attention stores a view as one head of the low rank, and expands it after reading."""
    return bool(set(_LATENT.findall(text)) & set(_KEPT.findall(text)))


@lru_cache(maxsize=64)
def caches_indexer_keys(text: str) -> bool | None:
    """Return whether layers store the keys of an indexer too: one head of ``index_head_dim``, without an axis of its own.

    None if they store something of another form.
    """
    if _INDEXED not in text:
        return False
    stored = set(_STORED.findall(text))
    one_head = "config.index_head_dim" in text and stored and stored <= set(_SQUEEZED.findall(text))
    return True if one_head else None
