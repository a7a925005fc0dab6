"""Robot control by denoising: the current state, a chunk of actions, noise, and the step of denoising."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Normal, Uniform


class DummyRobotInputGenerator(DummyInputGenerator):
    """States and actions of sizes that the configuration bounds (``max_state_dim``, ``max_action_dim``)."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the configuration says how large an action, and how long a chunk of them, is."""
        del name
        return all(context.config.raw(attribute) is not None for attribute in ("max_action_dim", "chunk_size"))

    @property
    def chunk(self) -> tuple[Size, ...]:
        """[batch, actions, action size]."""
        return self.dim("batch_size"), self.config.integer("chunk_size"), self.config.integer("max_action_dim")

    def describe_state(self) -> TensorSpec:
        """The robot's state [batch, state size], normal."""
        return self.floats("state", (self.dim("batch_size"), self.config.integer("max_state_dim")), Normal())

    def describe_actions(self) -> TensorSpec:
        """Actions [batch, actions, action size] in [-1, 1)."""
        return self.floats("actions", self.chunk, Uniform(-1, 1))

    def describe_noise(self) -> TensorSpec:
        """Noise of the actions' shape, normal."""
        return self.floats("noise", self.chunk, Normal())

    def describe_timestep(self) -> TensorSpec:
        """How far each row is denoised [batch], in [0, 1)."""
        return self.floats("timestep", (self.dim("batch_size"),), Uniform(0, 1))
