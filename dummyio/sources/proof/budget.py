"""What the runs of a proof may cost: bytes, runs and seconds."""

from dataclasses import dataclass

MAX_RUN_BYTES = 2 << 30
"""The most that a run of a description may allocate, weights aside."""


@dataclass(frozen=True)
class Budget:
    """The limits of a proof; what exceeds one is reported and not run."""

    weights: int = 1 << 30
    """The most bytes of weights of a model that runs with values."""
    memory: int = MAX_RUN_BYTES
    """The most bytes that a run with values may allocate beside the weights."""
    runs: int = 8
    """The most runs that confirm a spec."""
    corrections: int = 12
    """The most corrections of one spec."""
    seconds: float = 30.0
    """The longest time that a proof takes: no run begins after it."""
