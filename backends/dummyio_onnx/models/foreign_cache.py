"""Caches of other libraries, as the tensors that a graph takes: those of Transformers, and tuples of tensors."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from dummyio.errors import OptionError, format_error_line


class ForeignCache(NamedTuple):
    """The past in a cache of another library."""

    tensors: list[Any]
    """The tensors of each layer, one layer after the other."""

    length: int | None
    """How many tokens were fed so far; None if the cache does not count them."""


def read_foreign_cache(given: Any) -> ForeignCache | None:
    """Return the past in a cache; None if the object is not a cache.

    Tuples of tuples are read, and objects whose layers have ``keys`` and ``values``, in an encoder-decoder those of both caches.
    Only tokens that were fed count: a static cache has room for more.

    Raises
    ------
    OptionError
        if it cannot tell how many tokens it has.
    """
    parts = [getattr(given, name, None) for name in ("self_attention_cache", "cross_attention_cache")]
    if all(part is not None for part in parts):
        own, cross = (list(_iterate_layers(part)) for part in parts)
        tensors = [tensor for layers in zip(own, cross, strict=True) for layer in layers for tensor in layer]
        return ForeignCache(tensors, _count_tokens(parts[0]))
    if isinstance(getattr(given, "layers", None), (list, tuple)):
        return ForeignCache([tensor for layer in _iterate_layers(given) for tensor in layer], _count_tokens(given))
    if isinstance(given, (list, tuple)):
        return ForeignCache([tensor for layer in given for tensor in _list_tensors(layer)], None)
    return None


def _iterate_layers(cache: Any) -> Iterator[list[Any]]:
    """Yield the keys and values of each layer that has some, without the room that is not filled."""
    for layer in cache.layers:
        found = [tensor for name in ("keys", "values") if (tensor := getattr(layer, name, None)) is not None]
        yield [tensor[..., slice(*_find_filled(layer, tensor.shape[-2])), :] for tensor in found]


def _find_filled(layer: Any, room: int) -> tuple[int, int]:
    """Return the first place, and the end, of the tokens of a layer that the next step sees.

    A layer with a window keeps the tokens before the next one that are in it; a static one has a place for the next one too.
    """
    first, last = 0, room
    if hasattr(layer, "max_cache_len"):
        last = min(int(layer.get_seq_length()), room)
    if getattr(layer, "is_sliding", False):
        window = int(getattr(layer, "sliding_window", 0) or getattr(layer, "max_cache_len", room + 1))
        first = max(0, last - (window - 1))
    return first, last


def _count_tokens(cache: Any) -> int | None:
    count = getattr(cache, "get_seq_length", None)
    if count is None or not cache.layers:
        return None
    try:
        return int(count())
    except Exception as error:  # its own code
        raise OptionError(
            f"past_key_values is a {type(cache).__name__} that cannot tell its length ({format_error_line(error)}): give the "
            "cache that this model returned."
        ) from error


def _list_tensors(layer: Any) -> Sequence[Any]:
    if isinstance(layer, Mapping):
        return list(layer.values())
    return layer if isinstance(layer, (list, tuple)) else (layer,)
