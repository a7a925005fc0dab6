"""The facts on which conditions decide whether an argument is fed, and the type of a condition."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from dummyio.generators.base.model_facts import ArgumentFacts
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


def is_always_fed(_: InputFacts) -> bool:
    """Return true: the argument is fed whatever the facts are."""
    return True


def feeds_everything(facts: InputFacts) -> bool:
    """Return whether all data that the model takes are fed."""
    return facts.everything
