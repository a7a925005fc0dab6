"""Default sizes of dims, and the single place where a symbolic dim gets its size and bounds.

A size comes from the caller, else from the configuration, else from `DEFAULT_DUMMY_SHAPES`. All generators of one spec
share one `DimSizes`, so a name is one symbol with one definition.
"""

import warnings
from collections.abc import Mapping
from typing import Any

from dummyio.errors import DimError, OptionError
from dummyio.materialize.counter_rng import combine_keys, path_key, sample_key
from dummyio.model_config.attribute_types import shorten_value
from dummyio.model_config.layer_geometry import past_limit
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES
from dummyio.spec.dims import Dim

_FOLLOWS = {
    "encoder_sequence_length": "sequence_length",
    "decoder_sequence_length": "sequence_length",
    "past_decoder_sequence_length": "past_sequence_length",
    "text_batch_size": "batch_size",
    "latent_height": "height",
    "latent_width": "width",
}
"""A symbol whose size, where nobody gives it, is that of another which the caller gives."""

_LIMITS = {
    "sequence_length": ("max_positions",),
    "encoder_sequence_length": ("max_source_positions", "max_positions"),
    "decoder_sequence_length": ("max_target_positions", "max_positions"),
}
"""A symbol → what in a configuration bounds it."""

_PASTS = {"sequence_length": "past_sequence_length", "decoder_sequence_length": "past_decoder_sequence_length"}
"""A symbol of new tokens → that of the past, which takes its share of the same positions."""

_AFTER = {past: new for new, past in _PASTS.items()}

_INT64 = 1 << 63
_TEXT = 8
"""Tokens of text beside the media of a row, by default."""


class SizeWarning(UserWarning):
    """A size that the caller asks for contradicts the model's configuration."""


class DimSizes:
    """The symbols of one spec: `given` has the caller's sizes by name, `ranges` the bounds, both included, of those to draw.

    With a past, new tokens share the model's positions with it; a static cache has a fixed length, which then bounds both too.
    """

    def __init__(
        self,
        config: NormalizedConfig,
        given: Mapping[str, int] | None = None,
        ranges: Mapping[str, tuple[int, int]] | None = None,
        seed: int = 0,
        *,
        with_past: bool = False,
        static: bool = False,
    ) -> None:
        """Draw what is to be drawn."""
        self.config = config
        self.with_past = with_past
        self.static = static and with_past
        self.given: dict[str, int] = {name: _validated_size(name, size) for name, size in (given or {}).items()}
        for name, bounds in (ranges or {}).items():
            self.given.setdefault(name, _draw_size(name, bounds, seed))
        self.dims: dict[str, Dim] = {}
        self.bounds: dict[str, Mapping[str, int]] = {}
        """What is known of symbols besides: name → ``min``, ``max``, ``multiple_of``."""
        self.reserved_positions = 0
        """The positions that no token takes."""

    def resize(self, changed: Mapping[str, int]) -> "DimSizes":
        """Return the same without any symbol defined, with some sizes as if the caller had given them."""
        other = DimSizes(self.config, {**self.given, **changed}, with_past=self.with_past, static=self.static)
        other.bounds.update(self.bounds)
        other.reserved_positions = self.reserved_positions
        return other

    def wanted(self, name: str) -> int | None:
        """Return the caller's size, under this name or under that of the symbol it follows."""
        if name in self.given:
            return self.given[name]
        return self.given.get(_FOLLOWS.get(name, ""))

    def unused(self) -> list[str]:
        """Return the names that the caller gives and that no symbol defined so far has used."""
        used = {*self.dims, *(_FOLLOWS[name] for name in self.dims if name in _FOLLOWS)}
        return [name for name in self.given if name not in used]

    def dim(self, name: str, *, size: int | None = None, floor: int = 1, room: int = 0, **bounds: Any) -> Dim:
        """Return the symbol of that name; the first call defines it, all later ones return the same.

        `size` is the model's own, `floor` the smallest that makes sense, though a smaller one that is asked for is used. `room` is the size of
        content that cannot be left out: a lower bound, to which the default adds some text.
        """
        if name not in self.dims:
            self.dims[name] = self._define_with_room(name, room) if room else self._define(name, size, floor, bounds)
        return self.dims[name]

    def _define_with_room(self, name: str, room: int) -> Dim:
        high = self._limit(name)
        if high is not None and high < room:  # what the model itself puts in has precedence over a stated limit
            high = None
        wanted = self.wanted(name)
        if wanted is None:
            wanted = max(DEFAULT_DUMMY_SHAPES[name], room + _TEXT)
            wanted = wanted if high is None else min(wanted, high)
        return Dim(name, wanted, min=room, max=high)

    def _define(self, name: str, size: int | None, floor: int, bounds: dict[str, Any]) -> Dim:
        bounds |= self.bounds.get(name, {})
        high = bounds.pop("max", self._limit(name))
        wanted = self.wanted(name)
        if wanted is None:
            wanted = size if size is not None else DEFAULT_DUMMY_SHAPES.get(name, 2)
            wanted = max(wanted if high is None else min(wanted, high), bounds.get("min", 0))
            wanted -= wanted % bounds.get("multiple_of", 1)
        elif size is None and high is not None and wanted > high:
            raise DimError(
                f"{name}={wanted}: this size must be at most {high}, which the configuration gives as its limit."
            )
        low = bounds.pop("min", 0 if name in _AFTER else max(1, min(floor, wanted)))
        return Dim(name, wanted, min=low, max=high, **bounds)

    def _limit(self, name: str) -> int | None:
        new = _AFTER.get(name, name)
        total = self._positions(new)
        if name in _AFTER:
            limits = (None if total is None else total - self._share_of_positions(new, total), past_limit(self.config))
            return min((limit for limit in limits if limit is not None), default=None)
        return self._share_of_positions(new, total) if self.with_past and total is not None and new in _PASTS else total

    def capacity(self) -> Dim:
        """Return the positions of a cache of a fixed length: as asked for, else enough for the past and the new tokens."""
        name = "max_cache_length"
        if name not in self.dims:
            new, past = ([self.wanted(each) or 0 for each in names] for names in (_PASTS, _PASTS.values()))
            limit = self._of_configuration("decoder_sequence_length") or self._of_configuration("sequence_length")
            usual = max(DEFAULT_DUMMY_SHAPES[name], max(new) + max(past))
            size = self.wanted(name) or (usual if limit is None else min(usual, limit))
            # It may have more room than tokens, and not less.
            self.dims[name] = Dim(name, size, min=size)
        return self.dims[name]

    def _positions(self, name: str) -> int | None:
        """Return how many positions the configuration, and a cache of a fixed length, have for a symbol."""
        limit = self._of_configuration(name)
        if not self.static or name not in _PASTS:
            return limit
        room = self.capacity().size
        return room if limit is None else min(room, limit)

    def _of_configuration(self, name: str) -> int | None:
        for attribute in _LIMITS.get(name, ()):
            for config in (self.config, self.config.part("text")):
                limit = config.get(attribute)
                if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0:
                    return max(limit - self.reserved_positions, 1)
        return None

    def _share_of_positions(self, name: str, total: int) -> int:
        """Return how many of the positions the new tokens can take: half of them, but what the caller's sizes ask for."""
        new, past = self.wanted(name), self.wanted(_PASTS[name])
        if past is not None and past >= total:
            raise DimError(
                f"{_PASTS[name]}={past}: the configuration has {total} positions, and new tokens need at least one."
            )
        if past is not None and past > total // 2:
            return total - past
        return max(total - total // 2, min(new or 0, total - (past or 0)))

    def fixed(self, name: str, size: int, reason: str) -> Dim:
        """Return a symbol that the model fixes at `size`; the caller still wins, and is warned."""
        wanted = self.wanted(name)
        if wanted is not None and wanted != size:
            if name not in self.dims:
                warnings.warn(
                    f"{name}={wanted} contradicts {reason}, which gives {size}: the model may refuse it.",
                    SizeWarning,
                    stacklevel=2,
                )
            size = wanted
        return self.dim(name, size=size, min=size, max=size)


def _validated_size(name: str, size: object) -> int:
    if not isinstance(size, int) or isinstance(size, bool) or not 0 <= size < _INT64:
        raise DimError(f"{name}={shorten_value(size)}: a size must be an int that is not negative, below 2**63.")
    return size


def _draw_size(name: str, bounds: object, seed: int) -> int:
    low, high = bounds if isinstance(bounds, (tuple, list)) and len(bounds) == 2 else (None, None)
    if not (type(low) is int and type(high) is int) or low > high or low < 0 or high >= _INT64:
        raise OptionError(
            f"random_{name}_range={shorten_value(bounds)}: give two ints, the smaller first, both included."
        )
    word, _ = combine_keys(path_key(f"size of {name}"), sample_key(seed, 0))
    return low + (word * (high - low + 1) >> 32)
