"""The types of generation options, of a caller's and of those in ``generation_config.json``: Transformers checks few of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Any

import msgspec

from dummyio.errors import OptionError
from dummyio.model_config.attribute_types import shorten_value
from dummyio.option_types import convert_option
from dummyio_onnx.models.array_kinds import is_tensor

_COUNT: Any = Annotated[int, msgspec.Meta(ge=1)]

_WORDS: Mapping[Any, str] = {
    _COUNT | None: "num_beams num_return_sequences num_beam_groups",
    int | None: (
        "max_new_tokens max_length min_new_tokens min_length top_k no_repeat_ngram_size encoder_no_repeat_ngram_size "
        "pad_token_id forced_bos_token_id prompt_lookup_num_tokens"
    ),
    float | None: (
        "temperature top_p min_p typical_p epsilon_cutoff eta_cutoff repetition_penalty encoder_repetition_penalty "
        "diversity_penalty length_penalty guidance_scale penalty_alpha max_time"
    ),
    bool | None: (
        "do_sample use_cache return_dict_in_generate output_scores output_logits renormalize_logits remove_invalid_values use_mtp"
    ),
    int | Sequence[int] | None: "eos_token_id bos_token_id decoder_start_token_id forced_eos_token_id",
    Sequence[int] | None: "suppress_tokens begin_suppress_tokens",
    Sequence[Any] | None: "logits_processor stopping_criteria",
    Callable[..., Any] | None: "prefix_allowed_tokens_fn",
    Sequence[Sequence[int]] | None: "bad_words_ids",
    str | Sequence[str] | None: "stop_strings",
    str | None: "cache_implementation",
}
_TYPES = {name: kind for kind, names in _WORDS.items() for name in names.split()}
"""Option → its type."""


def check_option_types(values: Mapping[str, Any]) -> None:
    """Raise `OptionError` if a generation option has a value of another type than it takes; unknown options may have any."""
    for name, value in values.items():
        if name in _TYPES and not is_tensor(value):
            convert_option(name, value, _TYPES[name])


def read_generation_config(given: Any) -> Mapping[str, Any]:
    """Return generation options as a mapping, those of a configuration object too.

    Raises
    ------
    OptionError
        if the object is not a configuration, or an option has a value of another type.
    """
    if given is None:
        return {}
    to_dict = getattr(given, "to_dict", None)
    if not callable(to_dict) or isinstance(given, type):
        raise OptionError(
            f"generation_config={shorten_value(given)}: give a GenerationConfig of Transformers, or the options by name."
        )
    values: Any = to_dict()
    check_option_types(values)
    return values
