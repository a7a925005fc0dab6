"""Packed images: the rows and columns of patches of each, and the number of patches that become one token."""

from math import prod
from typing import Any

from dummyio.generators.base.context import Context
from dummyio.model_config.attribute_types import MOST_TOKENS, check_amount

BY_IMAGE = frozenset({"spatial_shapes", "image_position_ids", "pixel_position_ids"})
"""Inputs beside which patches have an axis of images."""
GRIDS = BY_IMAGE | {"image_grid_thw", "grid_thw", "target_sizes"}
"""Inputs that say how many rows and columns of patches each image has, or where each patch lies."""


def patches_per_token(context: Context) -> int:
    """Return how many rows, and how many columns, of patches become one token."""
    config = context.config.unwrapped()
    rounds = config.raw("merger_times")
    if isinstance(rounds, int):  # merged in the image model, where it is not switched off, and so many times after it
        kernels = [square_side(config.raw("merge_kernel_size")) or 2] * rounds
        inner = square_side((config.sub("vision") or config).raw("window_kernel_size")) or 2
        merged = prod(kernels) * (inner if config.raw("downsample_mode") != "4x" else 1)
        return check_amount(merged, MOST_TOKENS, "rows of patches for one token")
    if context.names is not None and context.names & {"image_merge_sizes", "merge_sizes"}:
        return 2
    if context.facts.media.packed_patches_are_tokens or context.facts.media.packed_patches_are_pooled:
        return 1
    for part in (config.sub("vision"), config):
        for name in (
            "pooling_kernel_size",
            "spatial_merge_size",
            "merge_size",
            "merge_kernel_size",
            "downsample_factor",
        ):
            edge = square_side(part.raw(name)) if part is not None else None
            if edge is not None:
                return edge
    return 1


def patch_grid(context: Context) -> tuple[int, int]:
    """Return the rows and columns of patches of one packed image: two tokens each way, where positions allow."""
    merge = patches_per_token(context)
    vision = context.config.unwrapped().part("vision")
    size, patch = vision.size(), square_side(vision.get("patch_size"))
    fits = size is None or patch is None or min(size) // patch >= 2 * merge
    edge = 2 * merge if fits else merge
    return edge, edge


def square_side(value: Any) -> int | None:
    """Return the length of a square's side from an int or a sequence; None for anything else."""
    if isinstance(value, (list, tuple)) and value:
        value = value[-1]
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None
