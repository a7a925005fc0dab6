"""Counts the text tokens that one image, video or audio clip occupies, and finds their placeholder token ids.

A model puts the features of its media where the text has placeholder ids, and refuses the text where they are not as many.
The number comes, in this order, from what the configuration states and the model's code reads (``mm_tokens_per_image``);
from the sizes of image and patches, the factors by which a projector merges patches, and whether a class token counts; from
a nominal number (``image_seq_length``), which processors use and models do not check.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import isqrt, prod
from typing import cast

from dummyio.generators.base.context import Context
from dummyio.generators.media_tokens.audio_token_counts import audio_tokens
from dummyio.generators.media_tokens.image_layout import (
    axes_before_channels,
    count_frames,
    pixel_size,
    tile_grid,
    vision_of,
)
from dummyio.generators.media_tokens.patch_grids import GRIDS, patch_grid, patches_per_token, square_side
from dummyio.model_config.attribute_types import MOST_TOKENS, check_amount
from dummyio.model_config.normalized_config import NormalizedConfig

_GIVEN = {
    "image": ("pixel_values", "pixel_values_images", "image_patches", "flattened_patches"),
    "video": ("pixel_values_videos",),
    "audio": ("input_features", "input_values", "audio_input_ids"),
}
"""Medium → the inputs that bring it."""

_MASKS = {
    "image": ("pixel_attention_mask", "pixel_mask", "image_sizes", "image_position_ids"),
    "video": ("num_frames_per_video",),
    "audio": ("input_features_mask", "feature_attention_mask", "padding_mask", "audio_input_ids_mask"),
}
"""Medium → what says how much of it counts."""

TOKEN_COUNT_ATTRIBUTES = (
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

_BOUNDS = {
    "image": (
        ("image_start_token_id", "image_end_token_id"),
        ("vision_start_token_id", "vision_end_token_id"),
        ("boi_token_id", "eoi_token_id"),
        ("boi_token_index", "eoi_token_index"),
    ),
    "video": (("video_start_token_id", "video_end_token_id"), ("vision_start_token_id", "vision_end_token_id")),
    "audio": (("audio_start_token_id", "audio_end_token_id"), ("boa_token_id", "eoa_token_id")),
}
"""Medium → attributes for the ids that begin and end it; the first pair that the configuration names."""

_NOMINAL = ("image_seq_length", "num_image_tokens", "image_token_num")


@dataclass(frozen=True, slots=True)
class Medium:
    """One medium of a text: its placeholder, how many of them, and the ids that stand around them."""

    kind: str
    id: int | None
    """The placeholder; None where another input says which columns it takes."""
    count: int
    before: int | None = None
    after: int | None = None

    @property
    def length(self) -> int:
        """How many tokens it takes in all."""
        return self.count + (self.before is not None) + (self.after is not None)


def list_media(context: Context) -> tuple[Medium, ...]:
    """Return the media that a spec's texts hold, in their order; none where the configuration names no placeholder."""
    if context.names is None or "input_ids" not in context.names:
        return ()
    if "media" not in context.memo:
        found = (_medium(kind, context) for kind, inputs in _GIVEN.items() if context.names.intersection(inputs))
        context.memo["media"] = tuple(medium for medium in found if medium is not None)
    return cast("tuple[Medium, ...]", context.memo["media"])


def find_uncounted_media_inputs(context: Context) -> frozenset[str]:
    """Return the inputs of media whose placeholder cannot be written: of an unknown number of tokens, or outside of the vocabulary."""
    names, config = context.names or frozenset(), context.config.unwrapped()
    if "input_ids" not in names:
        return frozenset()
    counted = {medium.kind for medium in list_media(context) if not _is_outside(medium.id, config)}
    found = {
        kind: names.intersection((*inputs, *_MASKS[kind]))
        for kind, inputs in _GIVEN.items()
        if names.intersection(inputs) and config.token_id(f"{kind}_token_id", f"{kind}_token_index") is not None
    }
    return frozenset().union(*(inputs for kind, inputs in found.items() if kind not in counted))


def find_companions_alone(names: Iterable[str]) -> frozenset[str]:
    """Return the inputs of a text's model that say how much of its images or videos counts, if there are none."""
    held = frozenset(names)
    alone = [kind for kind in ("image", "video") if not held.intersection(_GIVEN[kind])]
    return held & {name for kind in alone for name in _MASKS[kind]} if "input_ids" in held else frozenset()


def _is_outside(id_: int | None, config: NormalizedConfig) -> bool:
    """Whether a placeholder is not in the vocabulary, as in the defaults of some classes; raise `SourceError` for any other id."""
    text = config.part("text")
    size = text.get("vocab_size")
    if id_ is None or not isinstance(size, int) or id_ < size:
        return False
    config.check_in_vocabulary(id_, "vocab_size", text)
    return True


def _medium(kind: str, context: Context) -> Medium | None:
    config = context.config.unwrapped()
    part = "audio" if kind == "audio" else "vision"
    if part in context.facts.media.optional_parts and config.own(f"{part}_config") is None:
        return None
    id_ = config.token_id(f"{kind}_token_id", f"{kind}_token_index")
    if kind == "image" and id_ is None and "pixel_values_videos" not in (context.names or ()):
        id_ = config.token_id(
            "video_token_id", "video_token_index"
        )  # what a model of videos alone calls its placeholder
    count = _COUNTS[kind](context)
    if count is None or count < 1:
        return None
    check_amount(count, MOST_TOKENS, f"tokens for one {kind}")
    if id_ is None:
        return Medium(kind, None, count) if "image_embeds_position_mask" in (context.names or ()) else None
    return Medium(kind, id_, count, *_bounds(kind, id_, config))


def _bounds(kind: str, id_: int, config: NormalizedConfig) -> tuple[int | None, int | None]:
    """Return the ids that begin and end a medium; none where the text's vocabulary does not have them."""
    size = config.part("text").get("vocab_size")
    for names in _BOUNDS[kind]:
        first, last = (config.token_id(name) for name in names)
        if (
            isinstance(size, int)
            and first is not None
            and last is not None
            and max(first, last) < size
            and id_ not in {first, last}
        ):
            return first, last
    return None, None


# Images.


def _image_tokens(context: Context) -> int | None:
    """Return the tokens of what one row's text is about: one image, its tiles, or its frames."""
    if context.names is not None and context.names & GRIDS:
        rows, columns = patch_grid(context)
        return rows * columns // patches_per_token(context) ** 2
    if context.facts.media.patches_are_voxels:
        return 1
    if context.facts.media.patches_are_flat:
        return _patches(context, *pixel_size(context))
    stated = _stated(context)
    if stated is not None:
        return stated * prod(axes_before_channels(context))
    return _quantized(context) or _tiled(context) or _computed(context) or _number(context.config.unwrapped(), _NOMINAL)


def _video_tokens(context: Context) -> int | None:
    """Return the tokens of all frames, from which no class token is left out."""
    each = _computed(context, drop=False)
    return None if each is None else each * count_frames(context)


def _patches(context: Context, height: int, width: int) -> int | None:
    patch = square_side(vision_of(context).get("patch_size"))
    return None if patch is None else (height // patch) * (width // patch)


def _quantized(context: Context) -> int | None:
    """Return the codes of a quantized image: rows of codes, and the end of each row where the model adds one."""
    config = context.config.unwrapped()
    vq = config.raw("vq_config") if config.sub("vision") is None else None
    stages = None if vq is None else NormalizedConfig.of(vq).raw("channel_multiplier")
    if not isinstance(stages, Sequence):
        return None
    factor = 2 ** max(len(stages) - 1, 0)
    height, width = pixel_size(context)
    return (height // factor) * (width // factor + context.facts.media.rows_have_end_token)


def _tiled(context: Context) -> int | None:
    """Return the tokens of an image and of its tiles, which stand as one, with a token at the end of each row."""
    cut_in, each = tile_grid(context), _computed(context)
    if cut_in is None or each is None or each < 0:
        return None
    edge = isqrt(each)
    return each + cut_in[0] * edge * (cut_in[1] * edge + 1)


def _stated(context: Context) -> int | None:
    """Return the value of the first attribute that states the count and that the model reads."""
    config, read = context.config.unwrapped(), context.facts.media.token_count_attributes
    inner = (config.sub(role) for role in ("encoder", "vision", "perceiver_config"))
    parts = [config, *(part for part in inner if part is not None)]
    for name in TOKEN_COUNT_ATTRIBUTES:
        for part in parts:
            value = part.raw(name)
            if isinstance(value, int) and (read is None or name in read):
                return value
    return None


def _computed(context: Context, *, drop: bool = True) -> int | None:
    """Return the number of patches, less those that are merged, and with the class token where it counts."""
    config, vision = context.config.unwrapped(), vision_of(context)
    rows, columns = _cells(context, vision)
    if not rows or not columns:
        return None
    queries = config.raw("projector_patch_to_query_dict")
    if isinstance(queries, Mapping):
        wanted = queries.get(str(rows * columns), queries.get(rows * columns))
        return wanted if isinstance(wanted, int) else None
    facts = context.facts.media
    extra = (
        facts.has_mean_token + facts.has_class_token - (drop and facts.drops_class_token and _selects_patches(config))
    )
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
    return edge // context.facts.media.projector_stride


def _cells(context: Context, vision: NormalizedConfig) -> tuple[int, int]:
    """Return the rows and columns of an image model's features: of its patches, or of its last stage; 0 where not known."""
    height, width = pixel_size(context)
    strides, sizes, pads = (vision.raw(name) for name in ("patch_stride", "patch_size", "patch_padding"))
    if all(isinstance(each, Sequence) for each in (strides, sizes, pads)):
        for stride, size, pad in zip(strides, sizes, pads, strict=False):
            height, width = ((edge + 2 * pad - size) // stride + 1 for edge in (height, width))
        return height, width
    patch = square_side(vision.get("patch_size"))
    return (height // patch, width // patch) if patch is not None else (0, 0)


def _selects_patches(config: NormalizedConfig) -> bool:
    """Return whether the configuration selects the patches, without the first token of the image model."""
    strategy = config.raw("vision_feature_select_strategy")
    return strategy == "default" if strategy is not None else config.raw("vision_use_cls_token") is not False


def _number(config: NormalizedConfig, names: Iterable[str]) -> int | None:
    for part in (config, config.sub("vision")):
        for name in names:
            value = part.raw(name) if part is not None else None
            if isinstance(value, int) and not isinstance(value, bool) and value > 0:
                return value
    return None


_COUNTS = {"image": _image_tokens, "video": _video_tokens, "audio": audio_tokens}
