"""The generation options that the greedy loop obeys, those that do not matter to it, and the refusal of all others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.typing import Array
from dummyio_onnx.models.generation.option_types import check_option_types, read_generation_config

_NEW_TOKENS = 20
"""What Transformers writes if nothing limits it."""

_OBEYED = frozenset(
    {
        "max_new_tokens",
        "max_length",
        "min_new_tokens",
        "min_length",
        "eos_token_id",
        "pad_token_id",
        "bos_token_id",
        "decoder_start_token_id",
        "forced_bos_token_id",
        "forced_eos_token_id",
        "suppress_tokens",
        "begin_suppress_tokens",
        "use_cache",
    }
)
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,),
    "do_sample": (False,),
    "num_return_sequences": (1,),
    "num_beam_groups": (1,),
    "repetition_penalty": (1, 1.0),
    "encoder_repetition_penalty": (1, 1.0),
    "diversity_penalty": (0, 0.0),
    "no_repeat_ngram_size": (0,),
    "encoder_no_repeat_ngram_size": (0,),
    "return_dict_in_generate": (False,),
    "guidance_scale": (1, 1.0),
    "penalty_alpha": (0, 0.0),
}
_ONLY_OTHERS = frozenset(
    {
        "temperature",
        "top_k",
        "top_p",
        "min_p",
        "typical_p",
        "epsilon_cutoff",
        "eta_cutoff",
        "early_stopping",
        "length_penalty",
        "renormalize_logits",
        "transformers_version",
        "is_assistant",
        "num_assistant_tokens",
        "num_assistant_tokens_schedule",
        "assistant_confidence_threshold",
        "assistant_early_exit",
        "assistant_lookbehind",
        "target_lookbehind",
        "trust_remote_code",
    }
)
"""What matters to beams, sampling and assistants alone."""


@dataclass(frozen=True, slots=True)
class GreedyOptions:
    """What the loop obeys."""

    new_tokens: int | None
    length: int | None
    least_new: int
    least: int
    eos: tuple[int, ...]
    pad: int | None
    start: int | None
    forced_first: int | None
    forced_last: tuple[int, ...]
    suppressed: tuple[int, ...]
    suppressed_first: tuple[int, ...]
    use_cache: bool
    positions: int | None

    @property
    def padding(self) -> int:
        """The token behind the end of a row."""
        return self.pad if self.pad is not None else self.eos[0] if self.eos else 0

    def limit(self, start: int) -> int:
        """Return the length at which a row ends, from the length of its beginning."""
        if self.new_tokens is not None:
            return start + self.new_tokens
        if self.length is not None:
            return self.length
        most = start + _NEW_TOKENS
        return most if self.positions is None else min(most, self.positions)

    def mark_scores(self, scores: Array, length: int, start: int, most: int) -> None:
        """Set the scores of tokens that may not follow to minus infinity, in place."""
        least = self.least_new + start if self.least_new else self.least
        if self.eos and length < least:
            scores[:, list(self.eos)] = -np.inf
        for tokens in (self.suppressed, self.suppressed_first if length == start else ()):
            if tokens:
                scores[:, list(tokens)] = -np.inf
        forced: tuple[int, ...] = (self.forced_first,) if self.forced_first is not None and length == 1 else ()
        if self.forced_last and length == most - 1:
            forced = self.forced_last
        if forced:
            scores[:] = -np.inf
            scores[:, list(forced)] = 0


def read_options(config: Any, generation: Any, given: Mapping[str, Any]) -> GreedyOptions:
    """Return the options of the model, and of the caller, who wins; raise `OptionError` for one that the loop does not obey."""
    own = {name: value for name, value in read_generation_config(generation).items() if value is not None}
    check_option_types(given)
    values = {**own, **{name: value for name, value in given.items() if value is not None}}
    for name, value in values.items():
        _check_option(name, value, stated=name in given)

    def find(name: str) -> Any:
        return values.get(name, getattr(config, name, None))

    start = find("decoder_start_token_id")
    return GreedyOptions(
        values.get("max_new_tokens"),
        values.get("max_length"),
        values.get("min_new_tokens") or 0,
        values.get("min_length") or 0,
        _list_tokens(find("eos_token_id")),
        find("pad_token_id"),
        start if start is not None else find("bos_token_id"),
        values.get("forced_bos_token_id"),
        _list_tokens(values.get("forced_eos_token_id")),
        _list_tokens(values.get("suppress_tokens")),
        _list_tokens(values.get("begin_suppress_tokens")),
        values.get("use_cache") is not False,
        getattr(config, "max_position_embeddings", None),
    )


def _check_option(name: str, value: Any, *, stated: bool) -> None:
    if name in _OBEYED or name in _ONLY_OTHERS or name.startswith("_") or value in (None, False, [], {}):
        return
    neutral = _NEUTRAL.get(name)
    if neutral is not None and value in neutral:
        return
    if not stated and neutral is None:  # a model's own, such as the languages that its tokenizer has
        return
    raise OptionError(
        f"{name}={value!r}: without transformers and torch, generation is greedy and obeys {', '.join(sorted(_OBEYED))}. Install "
        "them (pip install 'dummyio[hf,torch]'), or give the neutral value of this option."
    )


def _list_tokens(value: Any) -> tuple[int, ...]:
    if value is None:
        return ()
    return tuple(int(each) for each in value) if isinstance(value, Sequence) else (int(value),)
