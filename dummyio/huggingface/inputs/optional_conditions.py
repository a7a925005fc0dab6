"""Conditions under which optional arguments that are data are fed.

The conditions are about what goes together: features of moments where the configuration counts some, an encoder's output
where a decoder of codes stands alone, a mask of a wave where the wave is not a codec's.
"""

from collections.abc import Mapping

from dummyio.huggingface.inputs.conditions import Condition, InputFacts, feeds_everything

_DEMANDED = "encoder_hidden_states must be given"


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
    demanded = _DEMANDED in facts.texts.get("model", "")
    return _attends_to_codes(facts) or (demanded and "query_embeds" in facts.required)


def _wave_mask(facts: InputFacts) -> bool:
    """Waves are padded, except a codec's, whose masks have as many axes as its waves."""
    audio = facts.config.part("audio")
    codec = any(config.raw("codebook_size") is not None for config in (facts.config, audio))
    return facts.everything and "input_values" in facts.offered and not codec and "input_features" not in facts.offered


OPTIONAL_CONDITIONS: Mapping[str, Condition] = {
    **dict.fromkeys(
        (
            "future_values",
            "future_time_features",
            "target_values",
            "prompt_depth",
            "noise_sequence",
            "decoder_input_values",
            "image",
            "rewards",
        ),
        feeds_everything,
    ),
    "static_categorical_features": _counts("num_static_categorical_features"),
    "static_real_features": _counts("num_static_real_features"),
    "encoder_hidden_states": _attends,
    "encoder_attention_mask": _attends_to_codes,
    "padding_mask": _wave_mask,
}
"""Optional argument → whether it is fed."""
