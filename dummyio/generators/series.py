"""Time series, trajectories and robot control: values at many moments.

Models that cut a series into patches or mix its channels count channels (``num_input_channels``), and always have an axis
for them; models that look back by lags (``lags_sequence``) need as much more past as the longest lag, and have that axis
only for several channels (``input_size``).
"""

from collections.abc import Sequence
from typing import Any

from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Normal, PaddingMask, Positions, Rule, Uniform

_CHUNK = "batch_size chunk_size max_action_dim"
_SEEN = Uniform(0, 2)
"""Observed values: single ones are missing, not those at an end."""
_CALENDAR = Uniform(-0.5, 0.5)
"""Features of hours, days and months."""


def _classes(generator: Any) -> Rule:
    """Return classes below the smallest ``cardinality``, and so below all."""
    sizes = generator.config.raw("cardinality")
    return Uniform(0, max(min(sizes) if isinstance(sizes, Sequence) and sizes else 2, 1))


class DummyTimeSeriesInputGenerator(DummyInputGenerator):
    """Values [batch, moments, channels], which of them were observed, and features of moments and of whole series."""

    @property
    def past(self) -> Size:
        """The number of moments in the past."""
        context = self.given_or_fixed("context_length", self.config.get("context_length"))
        lags = self.config.raw("lags_sequence")
        return context + max(lags) if isinstance(lags, Sequence) and lags else context

    @property
    def future(self) -> Dim:
        """The number of moments to predict."""
        length = self.config.get("prediction_length") or self.config.get("horizon_length")
        return self.given_or_fixed("prediction_length", length)

    @property
    def channels(self) -> tuple[int, ...]:
        """The axis of channels, if there is one."""
        number = self.config.integer("num_input_channels", 1)
        always = self.config.raw("num_input_channels") is not None
        return (number,) if always or number > 1 else ()

    describe_past_values = StatedInput("float", "batch_size past channels", Normal())
    describe_past_values_padding = StatedInput("int", "batch_size past", Constant(0))
    describe_freq = StatedInput("int", "batch_size 1", lambda self: Uniform(0, self.config.integer("freq_size", 1)))
    describe_past_observed_mask = StatedInput("bool", "batch_size past channels", _SEEN)
    describe_past_time_features = StatedInput("float", "batch_size past num_time_features", _CALENDAR)
    describe_future_values = StatedInput("float", "batch_size future channels", Normal())
    describe_future_observed_mask = StatedInput("bool", "batch_size future channels", _SEEN)
    describe_future_time_features = StatedInput("float", "batch_size future num_time_features", _CALENDAR)
    describe_static_categorical_features = StatedInput("int", "batch_size num_static_categorical_features", _classes)
    describe_static_real_features = StatedInput("float", "batch_size num_static_real_features", Normal())

    def describe_target_values(self) -> TensorSpec:
        """What a whole series is mapped to: a class [batch], or numbers [batch, targets]."""
        number = self.config.integer("num_targets", 1)
        if self.context.task == "time-series-classification":
            return self.ints("target_values", (self.dim("batch_size"),), Uniform(0, number))
        return self.floats("target_values", (self.dim("batch_size"), number), Normal())


class DummyReinforcementLearningInputGenerator(DummyInputGenerator):
    """A trajectory of [batch, sequence] steps. Episodes start late, so padding is on the left; controls are in [-1, 1)."""

    NEEDS = ("state_dim", "action_dim")

    @property
    def steps(self) -> tuple[Size, Size]:
        """[batch, sequence]; no longer than an episode."""
        episode = self.config.get("max_ep_len")
        bounds = {"max": episode} if isinstance(episode, int) else {}
        return self.dim("batch_size"), self.dim("sequence_length", **bounds)

    describe_states = StatedInput("float", "steps state_dim", Normal())
    describe_actions = StatedInput("float", "steps action_dim", Uniform(-1, 1))
    describe_rewards = StatedInput("float", "steps 1", Uniform(0, 1))
    describe_returns_to_go = StatedInput("float", "steps 1", Uniform(0, 1))
    describe_timesteps = StatedInput("int", "steps", lambda self: Positions(mask=self.follow("attention_mask")))
    describe_attention_mask = StatedInput("int", "steps", lambda self: PaddingMask("left", self.context.mask_policy))


class DummyRobotInputGenerator(DummyInputGenerator):
    """States and actions of the sizes that the configuration bounds; each row has a step of denoising in [0, 1)."""

    NEEDS = ("max_action_dim", "chunk_size")

    describe_state = StatedInput("float", "batch_size max_state_dim", Normal())
    describe_actions = StatedInput("float", _CHUNK, Uniform(-1, 1))
    describe_noise = StatedInput("float", _CHUNK, Normal())
    describe_timestep = StatedInput("float", "batch_size", Uniform(0, 1))
