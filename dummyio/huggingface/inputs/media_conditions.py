"""Conditions under which images, videos and audio are fed, and the inputs that describe their layout.

Without grids, sizes and marks of placeholders, pixels and frames mean nothing, so these come along whatever the task;
masks, codes and second names are data too, and come where everything is asked for.
"""

from collections.abc import Mapping

from dummyio.huggingface.facts.media_layout import has_renamed_images, reads_image_sizes
from dummyio.huggingface.inputs.conditions import Condition, InputFacts, feeds_everything, is_always_fed


def _image_sizes(facts: InputFacts) -> bool:
    """The sizes of images are fed beside a text if the model reads them."""
    if "input_ids" not in facts.offered:
        return facts.everything
    return reads_image_sizes(facts.texts.get("model", ""), facts.texts.get("vision", ""))


def _frame_mask(facts: InputFacts) -> bool:
    """A text has as many placeholders as frames count, so it needs to be said which do."""
    return facts.everything or "input_ids" in facts.offered


def _pixels(facts: InputFacts) -> bool:
    """Under another name for the same, kept for generation only, pixels would be given twice; pooled by indices, they mean nothing alone."""
    return not facts.offered & {"pixel_values_images", "image_patches", "image_token_pooling"}


def _videos(facts: InputFacts) -> bool:
    """Videos are fed where images have, or until lately had, a name of their own beside them: a class may keep the old name."""
    renamed = facts.everything and "pixel_values" in facts.offered and has_renamed_images(facts.texts.get("model", ""))
    return renamed or "pixel_values_images" in facts.offered


def _patch_mask(facts: InputFacts) -> bool:
    """Of patches or tiles that are padded to one number, the mask says which count."""
    selects = "pixel_values[pixel_attention_mask]" in facts.texts.get("model", "")
    return facts.everything or selects or "spatial_shapes" in facts.offered


def _control(facts: InputFacts) -> bool:
    """A robot's model draws what it is not given, and then its results do not repeat."""
    return facts.everything and facts.config.raw("max_action_dim") is not None


_NEEDED = (
    "image_grid_thw",
    "grid_thw",
    "target_sizes",
    "spatial_shapes",
    "image_merge_sizes",
    "image_position_ids",
    "pixel_position_ids",
    "images_per_sample",
    "image_embeds_position_mask",
    "mm_token_type_ids",
    "moe_mm_token_type_ids",
    "high_res_pixel_values",
    "pixel_values_images",
)
_ASKED_FOR = ("image_patches", "audio_input_ids", "audio_input_ids_mask")

MEDIA_CONDITIONS: Mapping[str, Condition] = {
    **dict.fromkeys(_NEEDED, is_always_fed),
    **dict.fromkeys(_ASKED_FOR, feeds_everything),
    **dict.fromkeys(("input_features_mask", "feature_attention_mask"), _frame_mask),
    **dict.fromkeys(("noise", "timestep"), _control),
    "pixel_attention_mask": _patch_mask,
    "pixel_values": _pixels,
    "pixel_values_videos": _videos,
    "image_sizes": _image_sizes,
}
"""Argument → whether it is fed."""
