"""What the runs of a proof may cost: bytes, runs and seconds."""

from dataclasses import dataclass

from torch import nn

from dummyio_torch.calling.meta_copy import iterate_weights
from dummyio_torch.discovery.memory_guard import MAX_RUN_BYTES


@dataclass(frozen=True)
class Budget:
    """The limits of a proof; what exceeds one is reported and not run."""

    weights: int = 1 << 30
    """The most bytes of weights of a module that runs with values."""
    memory: int = MAX_RUN_BYTES
    """The most bytes that a run with values may allocate beside the weights."""
    runs: int = 8
    """The most runs that confirm a spec."""
    corrections: int = 12
    """The most corrections of one spec."""
    seconds: float = 30.0
    """The longest time that a proof takes: no run begins after it."""


def count_weight_bytes(module: nn.Module) -> int:
    """Return the bytes of a module's weights."""
    return sum(tensor.nbytes for tensor in iterate_weights(module))


def has_values(module: nn.Module) -> bool:
    """Whether all weights of a module have values; those on the meta device have none."""
    return not any(tensor.is_meta for tensor in iterate_weights(module))
