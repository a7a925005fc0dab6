"""A model of text and images, or sounds, in three graphs: features replace the embeddings of placeholders, a decoder continues."""

from collections.abc import Mapping, Sequence
from math import isqrt, prod
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.huggingface.parts.grid_positions import count_grid_positions
from dummyio.huggingface.parts.media_parts import EMBEDS, IDS, MASK, POSITIONS, list_fixed_inputs, list_media_inputs
from dummyio.input_spec import InputSpec
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import TokenIds
from dummyio.typing import Array
from dummyio_onnx.models.array_kinds import copy_to_value, to_array, to_result
from dummyio_onnx.models.cache import OnnxCache
from dummyio_onnx.models.filling.input_filling import InputFiller
from dummyio_onnx.models.filling.left_out import LeftOut
from dummyio_onnx.models.flows import CACHE, Found
from dummyio_onnx.models.model_part import ModelPart

_SHIFTS = "shifts"
"""The tensor of the cache that only this flow reads."""
_AXES = 3


class MediaModel:
    """An encoder of images or sounds, the embeddings of text, and a decoder with its cache; see `dummyio_onnx.models.flows.Flow`.

    Where positions follow the grid of an image, the cache keeps one more tensor: how far the next position of a row is from its length.

    Parameters
    ----------
    encoder, embedding, decoder
        The graphs.
    spec
        The inputs of the whole model, which say what the placeholders are.
    left_out
        What the model's class makes of inputs that are left out.
    """

    def __init__(
        self, encoder: ModelPart, embedding: ModelPart, decoder: ModelPart, spec: InputSpec, left_out: LeftOut
    ) -> None:
        self.parts: Sequence[ModelPart] = (encoder, embedding, decoder)
        self._encoder, self._embedding, self._decoder = encoder, embedding, decoder
        self.left_out = left_out
        self._fillers = {part.name: InputFiller(part, left_out) for part in self.parts}
        self._media = tuple(name for name in list_media_inputs(spec) if name in self._fillers[encoder.name].names)
        fixed = list_fixed_inputs(spec)
        self._counted_by = next(iter(fixed), None)
        ids = spec[IDS]
        rule = ids.values if isinstance(ids, TensorSpec) else None
        rows = ids.shape[0] if isinstance(ids, TensorSpec) else None
        leaves = dict(spec.leaves)
        self.packed = tuple(name for name in self._media if leaves[name].shape[0] != rows)
        """Inputs whose first axis has several places for each row of the text."""

        runs = rule.runs if isinstance(rule, TokenIds) else ()
        self._placeholders = sorted({run.id for run in runs})
        self._grid = None
        if POSITIONS in self._fillers[decoder.name].names:
            self._grid = _merge_grid(fixed[str(self._counted_by)], max(run.count for run in runs))
            self._placeholders = [run.id for run in runs if run.count == prod(self._grid)]
        self.names = (*(name for name in spec if name != POSITIONS), CACHE)
        self.outputs = (*(each.name for each in decoder.plain_outputs), CACHE)
        self.main_input = IDS
        self.has_cache = decoder.continues
        self.writes_with_cache = self.has_cache

    def run(self, given: Mapping[str, Any], *, use_cache: bool) -> tuple[Found, OnnxCache | None]:
        """Return the outputs of a step by name, and the next cache; images are read in the first step."""
        past = given.get(CACHE)
        cache = None if past is None else self.take_cache(past)
        embeds = self._run_part(self._embedding, {IDS: given.get(IDS)})
        if cache is None:
            embeds = self._put_features(given, embeds)
        own: dict[str, Any] = {EMBEDS: embeds, MASK: given.get(MASK)}
        shifts = None
        if self._grid is not None:
            cache, shifts = _take_shifts(cache)
            own[POSITIONS], shifts = self._count_positions(given, embeds.shape[1], cache, shifts)
        filled = self._fillers[self._decoder.name].fill(own, cache)
        plain, cache = self._decoder.run(filled.values, filled.cache, filled.tokens, keep_cache=use_cache)
        cache = cache if cache is None or shifts is None else _add_shifts(cache, shifts)
        return dict(zip((each.name for each in self._decoder.plain_outputs), plain, strict=True)), cache

    def _count_positions(
        self, given: Mapping[str, Any], tokens: int, cache: OnnxCache | None, shifts: Array | None
    ) -> tuple[Array, Array]:
        """Return the positions of the new tokens, [3, batch, tokens], and the shifts of all rows."""
        ids: Any = to_array(given[IDS], IDS)
        mask: Any = np.ones((len(ids), tokens + (cache.length if cache else 0)), np.int64)
        if given.get(MASK) is not None:
            mask = to_array(given[MASK], MASK)
        if shifts is None:
            assert self._grid is not None
            return count_grid_positions(ids, mask, self._placeholders, self._grid)
        places = np.where(mask == 0, 0, np.cumsum(mask, axis=1) - 1)[:, -tokens:] + shifts[:, None]
        return np.broadcast_to(places, (_AXES, *places.shape)).astype(np.int64), shifts

    def take_cache(self, given: Any) -> OnnxCache | None:
        """Return a caller's past as the next step takes it; see `Flow`."""
        if isinstance(given, OnnxCache) and given.paths[-1:] == (_SHIFTS,):
            return given
        return self._fillers[self._decoder.name].take_cache(given)

    def _put_features(self, given: Mapping[str, Any], embeds: Array) -> Array:
        """Return embeddings with features in the places of placeholders.

        Raises
        ------
        OptionError
            if the text has another number of places than there are features.
        """
        ids: Any = to_array(given[IDS], IDS)
        media = {name: given[name] for name in self._media if given.get(name) is not None}
        rows = self._encode(media, given) if media else np.zeros((0, embeds.shape[-1]), embeds.dtype)
        counts = {each: int(np.sum(ids == each)) for each in self._placeholders}
        fitting = [each for each, count in counts.items() if count == len(rows) and (count or not media)]
        if not fitting or (not media and any(counts.values())):
            raise OptionError(
                f"the text has placeholders {counts}, and {', '.join(media) or 'no other input'} makes {len(rows)} features: their "
                "numbers must agree. Give the processor's inputs."
            )
        if not media:
            return embeds
        embeds = embeds.copy()
        embeds[ids == fitting[0]] = rows
        return embeds

    def _encode(self, media: Mapping[str, Any], given: Mapping[str, Any]) -> Array:
        """Return the features of all images, [places, width]; one at a time if their sizes are the graph's own."""
        arrays: dict[str, Any] = {name: to_array(value, name) for name, value in media.items()}
        count = 1
        if self._counted_by is not None:
            counted = given.get(self._counted_by)
            if counted is None:
                raise OptionError(f"{self._counted_by} was left out: it has a row for each image. Give it.")
            count = len(counted)
        calls = [{name: np.split(values, count)[place] for name, values in arrays.items()} for place in range(count)]
        found = [self._run_part(self._encoder, call) for call in calls]
        return np.concatenate([each.reshape(-1, each.shape[-1]) for each in found])

    def _run_part(self, part: ModelPart, given: Mapping[str, Any]) -> Array:
        """Return the only output of a part without a cache."""
        filled = self._fillers[part.name].fill(given, None)
        (made,), _ = part.run(filled.values, None, filled.tokens)
        array: Array = to_result(made, "np")
        return array


def _merge_grid(grid: Sequence[float], count: int) -> tuple[int, int, int]:
    """Return the places of an image that become tokens: a square of patches is one of `count`."""
    time, height, width = map(int, grid)
    side = isqrt(time * height * width // count)
    return time, height // side, width // side


def _add_shifts(cache: OnnxCache, shifts: Array) -> OnnxCache:
    value = copy_to_value(shifts, DType.INT64)
    return OnnxCache((*cache.paths, _SHIFTS), [*cache.values, value], cache.length, (*cache.axes, (0, None)))


def _take_shifts(cache: OnnxCache | None) -> tuple[OnnxCache | None, Array | None]:
    """Return a cache as the decoder takes it, and the shifts that it keeps; none for another cache."""
    if cache is None or cache.paths[-1:] != (_SHIFTS,):
        return cache, None
    shifts: Array = to_result(cache.values[-1], "np")
    return OnnxCache(cache.paths[:-1], cache.values[:-1], cache.length, cache.axes[:-1]), shifts
