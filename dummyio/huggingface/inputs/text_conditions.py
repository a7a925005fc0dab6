"""Conditions under which texts, their masks, types and positions, and the past of a decoder are fed."""

import re
from collections.abc import Mapping

from dummyio.huggingface.facts.preprocessor_facts import list_heard_inputs, tells_texts_apart
from dummyio.huggingface.inputs.conditions import Condition, InputFacts
from dummyio.huggingface.tasks.find_task import find_task

_GENERATIVE = ("text-generation", "feature-extraction")
_SOUND = {"input_values", "input_features"}
_DECODED = {"decoder_input_ids", "decoder_input_values"}
_TYPE_TABLE = re.compile(r"self\.(\w+)\(token_type_ids\)")
_DERIVED = re.compile(r"decoder_input_ids = (?:self\._shift_right|shift_tokens_right)\(\s*input_ids\b")


def _model_type(facts: InputFacts) -> str:
    return str(facts.config.raw("model_type"))


def _type_ids(facts: InputFacts) -> bool:
    """Type ids mean something where there are several types, and the tokenizer gives the second text of a pair one of its own.

    All models that have a table of types are fed where all is asked for; one that looks types up in the table of its tokens would
    add the embedding of a token to each position. A text next to an image is not a pair.
    """
    if facts.everything and not _has_types_of_tokens(facts.texts.get("model", "")):
        return True
    if "pixel_values" in facts.offered and facts.config.has("projection_dim"):
        return False
    count, apart = facts.config.part("text").get("type_vocab_size"), tells_texts_apart(_model_type(facts))
    if isinstance(count, int):
        return count > 1 and apart is not False
    return apart is True and not facts.decoder_only


def _has_types_of_tokens(text: str) -> bool:
    """Whether a model embeds types by the table of its tokens."""
    return any(f"self.{table}(input_ids)" in text for table in _TYPE_TABLE.findall(text))


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


TEXT_CONDITIONS: Mapping[str, Condition] = {
    "input_ids": _reads,
    "input_features": _hears,
    "input_values": _hears,
    "attention_mask": _mask,
    "global_attention_mask": _encodes,
    "token_type_ids": _type_ids,
    "decoder_input_ids": _decodes,
    "decoder_attention_mask": lambda facts: facts.everything and bool(_DECODED & facts.offered),
    "encoder_outputs": lambda facts: facts.encoder_decoder and facts.with_past,
    # Padding shifts the positions of a decoder that generates; elsewhere models count for themselves.
    # Those of packed images have three axes, and models count them by the grids; those of a sound count what is left of its frames.
    "position_ids": lambda facts: (
        facts.decoder_only
        and facts.task in _GENERATIVE
        and "image_grid_thw" not in facts.offered
        and ("input_ids" in facts.offered or not _SOUND & facts.offered)
    ),
    "lang_ids": lambda facts: bool(facts.config.raw("languages")) and facts.config.raw("default_language") is None,
    "past_key_values": lambda facts: facts.with_past,
    "cache_params": lambda facts: facts.with_past,
}
"""Argument → whether it is fed."""
