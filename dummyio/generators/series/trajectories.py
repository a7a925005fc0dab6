"""Trajectories: states, actions, rewards and returns to go, step by step."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Normal, PaddingMask, Positions, Uniform


class DummyReinforcementLearningInputGenerator(DummyInputGenerator):
    """A trajectory of [batch, sequence] steps; episodes start late, so padding lies on the left."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the configuration says how large states and actions are."""
        del name
        return context.config.has("state_dim") and context.config.has("action_dim")

    @property
    def steps(self) -> tuple[Size, Size]:
        """[batch, sequence]; no longer than an episode."""
        episode = self.config.get("max_ep_len")
        bounds = {"max": episode} if isinstance(episode, int) else {}
        return self.dim("batch_size"), self.dim("sequence_length", **bounds)

    def describe_states(self) -> TensorSpec:
        """States [batch, sequence, state size], normal."""
        return self.floats("states", (*self.steps, self.config.integer("state_dim")), Normal())

    def describe_actions(self) -> TensorSpec:
        """Actions [batch, sequence, action size] in [-1, 1), the range of squashed controls."""
        return self.floats("actions", (*self.steps, self.config.integer("action_dim")), Uniform(-1, 1))

    def describe_rewards(self) -> TensorSpec:
        """Rewards [batch, sequence, 1]."""
        return self.floats("rewards", (*self.steps, 1), Uniform(0, 1))

    def describe_returns_to_go(self) -> TensorSpec:
        """What is still to be won [batch, sequence, 1]."""
        return self.floats("returns_to_go", (*self.steps, 1), Uniform(0, 1))

    def describe_timesteps(self) -> TensorSpec:
        """The step within the episode [batch, sequence], counted from 0."""
        return self.ints("timesteps", self.steps, Positions(mask=self.follow("attention_mask")))

    def describe_attention_mask(self) -> TensorSpec:
        """1 for steps, 0 for padding before the episode [batch, sequence]."""
        return self.ints("attention_mask", self.steps, PaddingMask("left", self.context.mask_policy))
