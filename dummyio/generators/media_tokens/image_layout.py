"""The layout of images beside a text: the axes before the channels, and the size of each image.

Most models take one image for each row, [batch, channels, height, width]. Some take several, [batch, images, channels, height,
width]; and some cut an image into tiles, whose number follows from the size of the image and a table of resolutions.
"""

from collections.abc import Mapping, Sequence
from math import isqrt, prod

from dummyio.generators.base.context import Context
from dummyio.generators.media_tokens.patch_grids import square_side
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES

_TEXT = 16
"""Positions that are left for the text itself."""


def vision_of(context: Context) -> NormalizedConfig:
    """Return the image model's configuration; the model's own where it has no part for it."""
    config = context.config.unwrapped()
    return config.sub("vision") or config


def pixel_size(context: Context) -> tuple[int, int]:
    """Return the height and width of an image (of a tile of it): the caller's, the configuration's, or the usual."""
    config, vision = context.config.unwrapped(), vision_of(context)
    queries, patch = config.raw("projector_patch_to_query_dict"), square_side(vision.get("patch_size"))
    if isinstance(queries, Mapping) and patch is not None:  # only images of so many patches have queries
        edge = isqrt(min(map(int, queries))) * patch
        return edge, edge
    height, width = vision.size() or config.size() or _usual(config, vision)
    return context.sizes.wanted("height") or height, context.sizes.wanted("width") or width


def _usual(config: NormalizedConfig, vision: NormalizedConfig) -> tuple[int, int]:
    """Return the usual size, or a smaller one where the text has not as many positions as that has patches."""
    edge, limit, strides = (
        DEFAULT_DUMMY_SHAPES["height"],
        config.part("text").get("max_positions"),
        vision.raw("patch_stride"),
    )
    step = prod(strides) if isinstance(strides, Sequence) else strides
    if isinstance(limit, int) and isinstance(step, int) and step > 0:
        while edge > step and (edge // step) ** 2 + _TEXT > limit:
            edge //= 2
    return edge, edge


def tile_grid(context: Context) -> tuple[int, int] | None:
    """Return the rows and columns of tiles into which an image is cut; None where it is not cut."""
    size = original_size(context)
    height, width = pixel_size(context)
    return None if size is None else (-(-size[0] // height), -(-size[1] // width))


def original_size(context: Context) -> tuple[int, int] | None:
    """Return the size of an image that is cut into tiles: the first resolution that the configuration lists."""
    listed = context.config.unwrapped().raw("image_grid_pinpoints")
    if context.names is None or "image_sizes" not in context.names or not isinstance(listed, Sequence) or not listed:
        return None
    first = listed[0]
    return (int(first[0]), int(first[1])) if isinstance(first, Sequence) and len(first) == 2 else None


def count_frames(context: Context) -> int:
    """Return how many frames a video beside a text has."""
    stated = vision_of(context).get("num_frames") or context.config.get("num_frames")
    return context.sizes.wanted("num_frames") or stated or DEFAULT_DUMMY_SHAPES["num_frames"]


def axes_before_channels(context: Context) -> tuple[int, ...]:
    """Return the axes between batch and channels: none, one image, all tiles and the whole, or the frames."""
    cut_in = tile_grid(context)
    if cut_in is not None:
        return (cut_in[0] * cut_in[1] + 1,)
    axis = context.facts.media.image_axis
    return () if axis is None else (count_frames(context) if axis == "frames" else 1,)
