"""What recurrent and convolutional layers keep of the past: states of a fixed size, however long the past is."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["States"]


@dataclass(frozen=True, slots=True)
class States:
    """The state of one layer, for one row of the batch."""

    conv: tuple[int, int] | None = None
    """The last inputs of a convolution: channels, positions."""
    recurrent: tuple[int, ...] | None = None
    """What a recurrence carries, always kept in float32: heads, then the two sizes of the matrix of each; or channels, size."""
