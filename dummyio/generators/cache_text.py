"""What a model's source text says of its cache, where its configuration does not: the form in which it is kept."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

from dummyio.errors import SourceError

__all__ = ["check_kept", "keeps_latent"]

_LATENT = re.compile(r"\b(\w+) = [^\n]*\.view\([^)\n]*\b1, \w+, (?:self|config)\.kv_lora_rank\)")
"""What is viewed as one head of the low rank."""
_KEPT = re.compile(r"past_key_values?\.update\(\s*(\w+),")
_INDEXED = "past_key_values.update_indexer("


def keeps_latent(code: Mapping[str, str]) -> bool:
    """Whether attention keeps its low-rank form and expands what it reads back: the text stores what it views so."""
    return any(_latent(text) for text in code.values())


@lru_cache(maxsize=64)
def _latent(text: str) -> bool:
    return bool(set(_LATENT.findall(text)) & set(_KEPT.findall(text)))


def check_kept(code: Mapping[str, str]) -> None:
    """Raise `SourceError` where layers keep a third state beside keys and values."""
    if any(_INDEXED in text for text in code.values()):
        raise SourceError(
            "the model's layers keep keys of an indexer beside keys and values, which no cache of keys and values can hold. "
            "Describe the model without its past (a task without '-with-past')."
        )
