"""Chooses the arguments of a denoiser or an autoencoder that are fed.

Latents, time steps and what the drawing is conditioned on always are; the rest where the configuration makes the model
read it. A model's `forward` offers much more: residuals of other models, switches, parameters of attention.
"""

import re
from collections.abc import Callable, Mapping

from dummyio.model_config.normalized_config import NormalizedConfig

Condition = Callable[[NormalizedConfig], bool]


def _always(_: NormalizedConfig) -> bool:
    return True


def _set(*attributes: str) -> Condition:
    """Return the condition that the configuration sets one of some attributes."""
    return lambda config: any(config.raw(name) not in (None, False) for name in attributes)


def _labels(config: NormalizedConfig) -> bool:
    """Classes are fed where there is a table of them, or their embedding is given."""
    return any(config.raw(name) not in (None, False) for name in ("num_class_embeds", "class_embed_type")) or (
        config.raw("num_embeds_ada_norm") is not None and config.raw("norm_type") == "ada_norm_zero"
    )


def _added(config: NormalizedConfig) -> bool:
    """What is nested is fed where it is texts and sizes, or sizes alone."""
    sized = config.raw("use_additional_conditions")
    # The one size at which such a model takes more conditions without saying so.
    return config.raw("addition_embed_type") == "text_time" or bool(sized if sized is not None else _sized(config))


def _sized(config: NormalizedConfig) -> bool:
    return config.raw("sample_size") == 128 and config.raw("caption_channels") is not None


CONDITIONS: Mapping[str, Condition] = {
    **dict.fromkeys(
        (
            "sample",
            "hidden_states",
            "latents",
            "timestep",
            "timesteps",
            "pooled_projections",
            "pooled_embeds",
            "controlnet_cond",
            "proj_embedding",
            "added_time_ids",
            "encoder_hidden_states",
            "global_hidden_states",
            "video_coords",
            "audio_coords",
            "image_embeddings",
        ),
        _always,
    ),
    **dict.fromkeys(("style", "image_meta_size"), _set("use_style_cond_and_image_meta_size")),
    "guidance": _set("guidance_embeds", "guidance_embedding"),
    "timestep_cond": _set("time_cond_proj_dim"),
    "temb": _set("timestep_conditioning"),
    "class_labels": _labels,
    "added_cond_kwargs": _added,
}
"""Argument → whether it is fed. What is not here is fed only where the model cannot do without."""

_MASKS = ("encoder_attention_mask", "encoder_hidden_states_mask")
_SWITCHES = re.compile(r"return_dict|generator|.*_kwargs|conditioning_scale")
"""Arguments that are not data, whatever their default."""


def component_inputs(
    offered: Mapping[str, bool], config: NormalizedConfig, code: str = "", *, everything: bool
) -> list[str]:
    """Return the arguments to feed, in the model's order.

    `offered` says of each argument whether the model cannot do without, `code` is the text of the method that takes them.
    """

    def is_fed(name: str) -> bool:
        if offered[name]:
            return not _SWITCHES.fullmatch(name)
        if name in _MASKS:
            return _reads_mask(name, config, code, everything=everything)
        return name in CONDITIONS and CONDITIONS[name](config)

    return [name for name in offered if is_fed(name)]


def _reads_mask(name: str, config: NormalizedConfig, code: str, *, everything: bool) -> bool:
    """A text's mask is data where the model makes of it what attention takes; an export has one where captions are read."""
    made = re.search(rf"\b{name}(?:\.(?!ndim)|\[)", code) is not None
    return made and (everything or config.raw("caption_channels") is not None)


def inputs_by_attributes(config: NormalizedConfig) -> list[str]:
    """Return the arguments that the configuration suggests, for when no source text can be read; none where it does not."""
    if config.raw("in_channels") is None:
        return []
    if config.raw("latent_channels") is not None:
        return ["sample"]
    conditions = ["encoder_hidden_states"] if config.has("conditioning_size") else []
    if config.raw("block_out_channels") is not None:
        return ["sample", "timestep", *conditions]
    if not conditions:
        return []
    pooled = ["pooled_projections"] if config.has("pooled_projection_dim") else []
    packed = config.raw("axes_dims_rope") is not None or config.raw("guidance_embeds") is not None
    places = ["img_ids", "txt_ids"] if packed else []
    guidance = ["guidance"] if config.raw("guidance_embeds") else []
    return ["hidden_states", *conditions, *pooled, "timestep", *places, *guidance]
