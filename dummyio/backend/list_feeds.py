"""Feeds of models whose inputs may be lists of tensors."""

from collections.abc import Iterable, Mapping
from typing import Any

from dummyio.typing import Array


def gather_lists(feeds: Mapping[str, Array], names: Iterable[str]) -> dict[str, Any]:
    """Return the value of each input: its array, or the list of its arrays ``name.0``, ``name.1``."""
    return {
        name: feeds[name]
        if name in feeds
        else [array for path, array in feeds.items() if path.rpartition(".")[0] == name]
        for name in names
    }
