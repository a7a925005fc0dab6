"""How many tokens of a text one image, video or sound takes, and which ids stand for them.

A model puts the features of its media where the text has placeholder ids, and refuses the text where they are not as many.
The number comes, in this order, from what the configuration states and the model's code reads (``mm_tokens_per_image``);
from the sizes of image and patches, the factors by which a projector merges patches, and whether a class token counts; from
a nominal number (``image_seq_length``), which processors use and models do not check.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import prod
from typing import Any

from dummyio.generators.base import Context
from dummyio.normalized import NormalizedConfig

__all__ = ["Medium", "edge_of", "grid_of", "media", "merge_of"]

_GIVEN = {
    "image": ("pixel_values", "pixel_values_images", "image_patches"),
    "video": ("pixel_values_videos",),
    "audio": ("input_features", "input_values", "audio_input_ids"),
}
"""Medium → the inputs that bring it."""

_STATED = (
    "mm_tokens_per_image",
    "vision_soft_tokens_per_image",
    "num_query_tokens",
    "latent_query_num",
    "resampler_n_latents",
)
"""Attributes that state how many tokens an image becomes, whatever its size."""

_DIVISORS = (
    "downsample_factor",
    "scale_factor",
    "pixel_shuffle_factor",
    "spatial_merge_size",
    "hidden_stride",
    "projector_pooling_ratio",
)
"""Attributes by which a projector divides the rows and the columns of patches."""

_RATIOS = ("downsample_ratio", "pixel_shuffle_ratio")
"""The same as fractions, by which rows and columns are multiplied."""

_NOMINAL = ("image_seq_length", "num_image_tokens", "image_token_num")


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of a text: its placeholder, how many of them, and the ids that stand around them."""

    kind: str
    id: int
    count: int
    before: int | None = None
    after: int | None = None

    @property
    def length(self) -> int:
        """How many tokens it takes in all."""
        return self.count + (self.before is not None) + (self.after is not None)


def media(context: Context) -> tuple[Medium, ...]:
    """Return the media that a spec's texts hold, in their order; none where the configuration names no placeholder."""
    names = context.names
    if names is None or "input_ids" not in names:
        return ()
    found = (_medium(kind, context) for kind, inputs in _GIVEN.items() if names.intersection(inputs))
    return tuple(medium for medium in found if medium is not None)


def _medium(kind: str, context: Context) -> Medium | None:
    config = context.config.unwrapped()
    id_ = _id(config, (f"{kind}_token_id", f"{kind}_token_index"))
    count = _COUNTS[kind](context) if id_ is not None and kind in _COUNTS else None
    if id_ is None or not count:
        return None
    return Medium(kind, id_, count)


def _id(config: NormalizedConfig, names: Iterable[str]) -> int | None:
    """Return the first id that a configuration names so."""
    found = (config.raw(name) for name in names)
    return next((value for value in found if isinstance(value, int) and not isinstance(value, bool) and value >= 0), None)


# Images.


def _image_tokens(context: Context) -> int | None:
    if context.names is not None and context.names & {"image_grid_thw", "grid_thw"}:
        rows, columns = grid_of(context)
        return rows * columns // merge_of(context) ** 2
    return _stated(context) or _computed(context) or _number(context.config.unwrapped(), _NOMINAL)


def _stated(context: Context) -> int | None:
    """Return what an attribute states, where the model's code reads that attribute."""
    config, code = context.config.unwrapped(), "".join(context.code.values())
    parts = [config, *(part for part in (config.sub("vision"), config.sub("perceiver_config")) if part is not None)]
    for name in _STATED:
        for part in parts:
            value = part.raw(name)
            if isinstance(value, int) and (not code or re.search(rf"\.{name}\b", code)):
                return value
    return None


def _computed(context: Context) -> int | None:
    """Return the number of patches, less those that are merged, and with the class token where it counts."""
    config = context.config.unwrapped()
    vision = config.sub("vision") or config
    edges, patch = vision.size(), edge_of(vision.get("patch_size"))
    if edges is None or patch is None:
        return None
    rows, columns = edges[0] // patch, edges[1] // patch
    queries = config.raw("max_value_projector_patch_to_query_dict") or config.raw("projector_patch_to_query_dict")
    if isinstance(queries, Mapping):
        wanted = queries.get(str(rows * columns), queries.get(rows * columns))
        return wanted if isinstance(wanted, int) else None
    extra = int(_has_class_token(context, vision)) - int(_drops_first(context, config))
    rows, columns = (_merged(edge, config, vision, context) for edge in (rows, columns))
    return rows * columns + extra


def _merged(edge: int, config: NormalizedConfig, vision: NormalizedConfig, context: Context) -> int:
    """Return how many rows (or columns) are left of the patches' after a projector has merged them."""
    for part in (config, vision):
        for name in _DIVISORS:
            value = part.raw(name)
            if isinstance(value, int) and not isinstance(value, bool) and value > 1:
                edge //= value
        for name in _RATIOS:
            value = part.raw(name)
            if isinstance(value, (int, float)) and value > 0:
                edge = int(edge * value)
    return edge // _projector_stride(context.code.get("model", ""))


def _projector_stride(code: str) -> int:
    """Return the product of the strides of the convolutions in a projector."""
    found = re.search(r"\nclass \w*Projector\b.*?(?=\nclass |\Z)", code, re.DOTALL)
    strides = re.findall(r"nn\.Conv2d\([^)]*stride=(\d+)", found.group()) if found else []
    return prod(map(int, strides))


def _has_class_token(context: Context, vision: NormalizedConfig) -> bool:
    """Whether the image model puts a token of its own before the patches."""
    del vision
    code = context.code.get("vision") or context.code.get("model", "")
    return re.search(r"self\.(class_embedding|cls_token)\b", code) is not None


def _drops_first(context: Context, config: NormalizedConfig) -> bool:
    """Whether the model leaves out the first of the image model's tokens."""
    if "[:, 1:" not in context.code.get("model", ""):
        return False
    strategy = config.raw("vision_feature_select_strategy")
    return strategy == "default" if strategy is not None else config.raw("vision_use_cls_token") is not False


# Packed images.


def merge_of(context: Context) -> int:
    """Return how many rows, and how many columns, of patches become one token."""
    config = context.config.unwrapped()
    for part in (config.sub("vision"), config):
        for name in ("spatial_merge_size", "merge_size", "merge_kernel_size"):
            edge = edge_of(part.raw(name)) if part is not None else None
            if edge is not None:
                return edge
    return 1


def grid_of(context: Context) -> tuple[int, int]:
    """Return the rows and columns of patches of one packed image: two tokens each way, where positions allow."""
    merge = merge_of(context)
    vision = context.config.unwrapped().part("vision")
    size, patch = vision.size(), edge_of(vision.get("patch_size"))
    fits = size is None or patch is None or min(size) // patch >= 2 * merge
    edge = 2 * merge if fits else merge
    return edge, edge


def edge_of(value: Any) -> int | None:
    """Return the length of a square's side from an int or a sequence; None for anything else."""
    if isinstance(value, (list, tuple)) and value:
        value = value[-1]
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def _number(config: NormalizedConfig, names: Iterable[str]) -> int | None:
    for part in (config, config.sub("vision")):
        for name in names:
            value = part.raw(name) if part is not None else None
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


_COUNTS = {"image": _image_tokens}
