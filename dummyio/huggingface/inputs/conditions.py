"""Conditions under which an argument of a model is fed.

A text goes in with its mask; a past and positions if the task asks for them. Grids, sizes and marks of placeholders come along with
pixels and frames, which mean nothing without them. Masks, codes and other optional data are fed if everything is asked for.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.huggingface.facts.media_layout import has_renamed_images, reads_image_sizes
from dummyio.huggingface.facts.preprocessor_facts import list_heard_inputs, tells_texts_apart
from dummyio.huggingface.tasks.find_task import find_task
from dummyio.model_config.normalized_config import NormalizedConfig


@dataclass(frozen=True)
class InputFacts:
    """The facts on which the choice of inputs depends."""

    offered: frozenset[str]
    """Names of the arguments."""
    required: frozenset[str]
    """Those without a default."""
    config: NormalizedConfig
    task: str
    """Without ``-with-past``."""
    with_past: bool
    everything: bool
    """Whether to feed all data that the model takes, and not only what an export of the task needs."""
    arguments: Mapping[str, ArgumentFacts] = field(default_factory=dict)
    """Argument → its kind and shape, as documented."""
    own: frozenset[str] = frozenset()
    """Arguments that generators of the user's describe."""
    added: frozenset[str] = frozenset()
    """Those of them that are fed because the generators are there."""
    texts: Mapping[str, str] = field(default_factory=dict)
    """The source text of the model and its parts, by role."""

    @property
    def encoder_decoder(self) -> bool:
        """Whether there is a decoder with ids of its own."""
        return "decoder_input_ids" in self.offered

    @property
    def decoder_only(self) -> bool:
        """Whether the model is a decoder: it takes a past, and its configuration does not make it an encoder."""
        is_encoder = self.config.raw("is_decoder") is False and "encoder_hidden_states" in self.offered
        return "past_key_values" in self.offered and not self.encoder_decoder and not is_encoder


Condition = Callable[[InputFacts], bool]


def _always(_: InputFacts) -> bool:
    return True


def _everything(facts: InputFacts) -> bool:
    return facts.everything


_GENERATIVE = ("text-generation", "feature-extraction")
_SOUND = {"input_values", "input_features"}
_DECODED = {"decoder_input_ids", "decoder_input_values"}
_DERIVED = re.compile(r"decoder_input_ids = (?:self\._shift_right|shift_tokens_right)\(\s*input_ids\b")


def _model_type(facts: InputFacts) -> str:
    return str(facts.config.raw("model_type"))


def _type_ids(facts: InputFacts) -> bool:
    """Type ids mean something where there are several types, and the tokenizer gives the second text of a pair one of its own.

    All models that take them are fed where all is asked for. A text next to an image is not a pair.
    """
    if facts.everything:
        return True
    if "pixel_values" in facts.offered and facts.config.has("projection_dim"):
        return False
    count, apart = facts.config.part("text").get("type_vocab_size"), tells_texts_apart(_model_type(facts))
    if isinstance(count, int):
        return count > 1 and apart is not False
    return apart is True and not facts.decoder_only


def _encodes(facts: InputFacts) -> bool:
    """Whether data go in at the front; one step of a decoder takes what the encoder made of them instead."""
    return not (facts.encoder_decoder and facts.with_past)


def _reads(facts: InputFacts) -> bool:
    """Whether a text goes in: where one configuration speaks for text and sound encoders alike, one of both is read."""
    alike = facts.config.sub("decoder") is None and facts.config.sub("text") is None
    spoken = facts.encoder_decoder and "input_features" in facts.offered and _hears(facts)
    return _encodes(facts) and not (alike and spoken)


def _hears(facts: InputFacts) -> bool:
    """Whether a sound goes in: not where a task makes one of a text."""
    makes = facts.task == "text-to-audio" and "input_ids" in facts.offered
    return _encodes(facts) and (facts.everything or not makes)


def _mask(facts: InputFacts) -> bool:
    """Texts and trajectories have a mask; so have sounds, where all is asked for, or where a decoder attends to what is heard."""
    if facts.offered & {"input_ids", "returns_to_go"}:
        return True
    if not _SOUND & facts.offered:
        return False
    heard = facts.encoder_decoder and not facts.with_past
    return facts.everything or (heard and "attention_mask" in list_heard_inputs(_model_type(facts)))


def _decodes(facts: InputFacts) -> bool:
    """Whether the text of a decoder is fed: not for a head that sorts texts, if the model makes it of the encoder's text."""
    if facts.everything or find_task(facts.task).takes_past:
        return True
    return _DERIVED.search(facts.texts.get("model", "")) is None


def _positions(facts: InputFacts) -> bool:
    """Padding shifts the positions of a decoder that generates; elsewhere models count for themselves.

    They count those of packed images by the grids, and those of a sound by what is left of its frames.
    """
    of_text = "input_ids" in facts.offered or not _SOUND & facts.offered
    return facts.decoder_only and facts.task in _GENERATIVE and "image_grid_thw" not in facts.offered and of_text


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


def _counts(attribute: str) -> Condition:
    """Return the condition that the configuration counts some of a thing: a model that has them cannot do without."""

    def counted(facts: InputFacts) -> bool:
        number = facts.config.raw(attribute)
        return isinstance(number, int) and number > 0

    return counted


def _attends_to_codes(facts: InputFacts) -> bool:
    """A lone decoder of codes attends to what its text encoder made."""
    codes = facts.config.has("num_codebooks") and facts.config.has("num_attention_heads")
    return facts.everything and codes and "input_ids" in facts.offered and "decoder_input_ids" not in facts.offered


def _attends(facts: InputFacts) -> bool:
    """Ready-made queries attend to the features of an encoder, which their layers demand."""
    demanded = "encoder_hidden_states must be given" in facts.texts.get("model", "")
    return _attends_to_codes(facts) or (demanded and "query_embeds" in facts.required)


def _wave_mask(facts: InputFacts) -> bool:
    """Waves are padded, except a codec's, whose masks have as many axes as its waves."""
    audio = facts.config.part("audio")
    codec = any(config.raw("codebook_size") is not None for config in (facts.config, audio))
    return facts.everything and "input_values" in facts.offered and not codec and "input_features" not in facts.offered


MEDIA_CONDITIONS: Mapping[str, Condition] = {
    **dict.fromkeys(("image_grid_thw", "grid_thw", "target_sizes", "spatial_shapes", "image_merge_sizes"), _always),
    **dict.fromkeys(("image_position_ids", "pixel_position_ids", "images_per_sample"), _always),
    **dict.fromkeys(("image_embeds_position_mask", "mm_token_type_ids", "moe_mm_token_type_ids"), _always),
    **dict.fromkeys(("high_res_pixel_values", "pixel_values_images"), _always),
    **dict.fromkeys(("image_patches", "audio_input_ids", "audio_input_ids_mask"), _everything),
    **dict.fromkeys(("input_features_mask", "feature_attention_mask"), _frame_mask),
    **dict.fromkeys(("noise", "timestep"), _control),
    "pixel_attention_mask": _patch_mask,
    "pixel_values": _pixels,
    "pixel_values_videos": _videos,
    "image_sizes": _image_sizes,
}
"""Argument with images, videos or audio, or about their layout → whether it is fed."""

CONDITIONS: Mapping[str, Condition] = {
    **MEDIA_CONDITIONS,
    "input_ids": _reads,
    "input_features": _hears,
    "input_values": _hears,
    "attention_mask": _mask,
    "global_attention_mask": _encodes,
    "token_type_ids": _type_ids,
    "position_ids": _positions,
    "decoder_input_ids": _decodes,
    "decoder_attention_mask": lambda facts: facts.everything and bool(_DECODED & facts.offered),
    "encoder_outputs": lambda facts: facts.encoder_decoder and facts.with_past,
    "lang_ids": lambda facts: bool(facts.config.raw("languages")) and facts.config.raw("default_language") is None,
    "past_key_values": lambda facts: facts.with_past,
    "cache_params": lambda facts: facts.with_past,
    "encoder_hidden_states": _attends,
    "encoder_attention_mask": _attends_to_codes,
    "padding_mask": _wave_mask,
    "static_categorical_features": _counts("num_static_categorical_features"),
    "static_real_features": _counts("num_static_real_features"),
    **dict.fromkeys(("bbox", "xpath_tags_seq", "xpath_subs_seq", "flattened_patches", "past_values"), _always),
    **dict.fromkeys(("visual_embeds", "visual_attention_mask", "visual_token_type_ids"), _always),
    **dict.fromkeys(("states", "actions", "returns_to_go", "timesteps"), _always),
    **dict.fromkeys(("pixel_mask", "prompt_depth", "noise_sequence", "decoder_input_values", "image"), _everything),
    **dict.fromkeys(("future_values", "future_time_features", "target_values", "rewards"), _everything),
}
"""Argument → whether it is fed. Others are fed only if the model cannot do without them."""
