"""What the conditions of inputs ask for: those of the media and of what is optional stand in tables of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dummyio.generators.base.model_facts import ArgumentFacts
from dummyio.model_config.normalized_config import NormalizedConfig

__all__ = ["Condition", "InputFacts"]


@dataclass(frozen=True)
class InputFacts:
    """What the choice depends on."""

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
    stated: Mapping[str, ArgumentFacts] = field(default_factory=dict)
    """Argument → what the model's own text says of it."""
    code: Mapping[str, str] = field(default_factory=dict)
    """Source text; see `Context.code`."""

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
