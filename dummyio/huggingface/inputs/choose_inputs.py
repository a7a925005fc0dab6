"""Chooses the arguments of a model that are fed.

A forward signature offers much more than a model needs: alternatives (``inputs_embeds``), switches (``use_cache``), training
targets. The rules here choose by an argument's name and the configuration.
"""

from collections.abc import Iterable

from dummyio.generators.documented import is_shape_text, vocabulary_of
from dummyio.generators.registry import GENERATORS
from dummyio.huggingface.inputs.conditions import CONDITIONS, InputFacts
from dummyio.model_config.normalized_config import NormalizedConfig

_DESCRIBED = frozenset(name for generator in GENERATORS for name in generator.SUPPORTED_INPUT_NAMES)
"""The arguments that a generator describes by their names."""


def choose_inputs(facts: InputFacts, order: Iterable[str]) -> list[str]:
    """Return the arguments to feed, in the model's order; only such as some generator describes."""
    documented = {name for name, argument in facts.arguments.items() if is_shape_text(argument.shape)}
    counted = _counted(facts)
    wanted = (
        name
        for name in order
        if (name in CONDITIONS and CONDITIONS[name](facts)) or name in facts.required | counted | facts.added
    )
    return [name for name in wanted if name in _DESCRIBED or name in documented | facts.own]


def _counted(facts: InputFacts) -> frozenset[str]:
    """Return the optional ids of which the configuration says how many there are, and what goes with these.

    ``entity_ids`` below ``entity_vocab_size`` come with ``entity_attention_mask``: what begins alike is of the same things.
    """
    if not facts.everything:
        return frozenset()
    ids = {name for name in facts.offered if "label" not in name and vocabulary_of(facts.config, name) is not None}
    if facts.config.raw("audio_vocab_size") is not None:
        ids |= {name for name in facts.offered if name.endswith("_audio_codes")}
    heads = tuple(f"{name.removesuffix('_ids').removesuffix('_input')}_" for name in ids)
    return frozenset(name for name in facts.offered if name.startswith(heads) and "label" not in name) | ids


_OWN_SIZES = ("hidden_size", "hidden_sizes", "num_layers", "depths")
"""Attributes of a model's own layers: a guess needs one of them besides an attribute of its data."""


def inputs_from_attributes(config: NormalizedConfig) -> list[str]:
    """Return the arguments that the configuration's attributes suggest, for when no signature can be read; none if they do not."""
    offered: list[str] = []
    text = config.part("text")
    encoder_decoder = bool(config.raw("is_encoder_decoder"))
    audio = config.has("num_mel_bins") or config.has("audio_features")
    if audio and not text.has("type_vocab_size"):
        offered.append("input_features")
    elif config.has("num_feat_extract_layers") or config.raw("conv_kernel") is not None:
        offered.append("input_values")
    elif text.has("vocab_size"):
        offered += ["input_ids", "attention_mask"]
        offered += ["token_type_ids"] if text.has("type_vocab_size") else []
    if encoder_decoder and (offered or config.part("decoder").has("vocab_size") or not _reads_images(config)):
        offered += ["decoder_input_ids", "decoder_attention_mask"]
    if (
        config.sub("vision") is not None
        or (config.has("image_size") and not audio)
        or (_reads_images(config) and not offered)
    ):
        offered.append("pixel_values")
    if not _has_own_sizes(config) and not ("pixel_values" in offered and _reads_images(config)):
        return []
    if (
        text.has("vocab_size")
        and not text.has("type_vocab_size")
        and "input_ids" in offered
        and config.sub("vision") is None
    ):
        offered += ["position_ids", "past_key_values"]
        offered += ["encoder_outputs"] if encoder_decoder else []
    return offered


def _reads_images(config: NormalizedConfig) -> bool:
    """Whether a configuration is one of images: it has a part for them, or states two facts of them."""
    stated = sum(config.has(name) for name in ("image_size", "num_channels", "patch_size"))
    return config.sub("vision") is not None or (stated > 0 and stated + _has_own_sizes(config) > 1)


def _has_own_sizes(config: NormalizedConfig) -> bool:
    roles = ("text", "vision", "audio", "encoder", "decoder")
    parts = (config, *(part for role in roles if (part := config.sub(role)) is not None))
    return any(part.has(name) for part in parts for name in _OWN_SIZES)
