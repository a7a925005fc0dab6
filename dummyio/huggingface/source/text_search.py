"""Searching a model's source text, once for each question: the texts are long, and many descriptions ask the same."""

from __future__ import annotations

import re
from functools import lru_cache

__all__ = ["find_all", "search_source"]


@lru_cache(maxsize=4096)
def search_source(pattern: str, code: str, flags: int = 0) -> re.Match[str] | None:
    """Return the first place in `code` that `pattern` matches; None where there is none."""
    return re.search(pattern, code, flags)


@lru_cache(maxsize=1024)
def find_all(pattern: str, code: str) -> tuple[str, ...]:
    """Return what the one group of `pattern` holds at every place in `code` that it matches."""
    return tuple(match.group(1) for match in re.finditer(pattern, code))
