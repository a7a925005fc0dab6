"""What a model's source text says of its cache, where its configuration does not: the form in which it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from dummyio.errors import SourceError

__all__ = ["caches_indexer_keys", "caches_latent_attention"]

_LATENT = re.compile(r"\b(\w+) = [^\n]*\.view\([^)\n]*\b1, \w+, (?:self|config)\.kv_lora_rank\)")
"""What is viewed as one head of the low rank."""
_KEPT = re.compile(r"past_key_values?\.update\(\s*(\w+),")
_INDEXED = "past_key_values.update_indexer("
_STORED = re.compile(r"past_key_values\.update_indexer\(\s*(\w+),")
_SQUEEZED = re.compile(r"\n +(\w+) = [^\n]*\.squeeze\(2\)\s")


def caches_latent_attention(code: Mapping[str, str]) -> bool:
    """Whether attention keeps its low-rank form and expands what it reads back: the text stores what it views so."""
    return any(_latent(text) for text in code.values())


@lru_cache(maxsize=64)
def _latent(text: str) -> bool:
    return bool(set(_LATENT.findall(text)) & set(_KEPT.findall(text)))


def caches_indexer_keys(code: Mapping[str, str]) -> bool:
    """Whether layers keep the keys of an indexer too: one head of ``index_head_dim``, without an axis of its own.

    Raises
    ------
    SourceError
        where they keep something of another form.
    """
    texts = [text for text in code.values() if _INDEXED in text]
    if all(_one_head(text) for text in texts):
        return bool(texts)
    raise SourceError(
        "the model's layers keep what an indexer needs beside keys and values, in a form that the source text does not tell. "
        "Describe the model without its past (a task without '-with-past')."
    )


def _one_head(text: str) -> bool:
    """Whether what is kept of an indexer is one head whose axis is taken away, and nothing else."""
    kept = set(_STORED.findall(text))
    return "config.index_head_dim" in text and bool(kept) and kept <= set(_SQUEEZED.findall(text))
