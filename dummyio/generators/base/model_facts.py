"""What a model's own text says of one of its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["ArgumentFacts", "Kind", "LayerState"]

Kind: TypeAlias = Literal["int", "float", "bool"]


@dataclass(frozen=True, slots=True)
class ArgumentFacts:
    """An argument's kind, and its shape as words; None for what the text does not say."""

    kind: Kind | None = None
    shape: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class LayerState:
    """The state of one layer, for one row of the batch."""

    conv: tuple[int, int] | None = None
    """The last inputs of a convolution: channels, positions."""
    recurrent: tuple[int, ...] | None = None
    """What a recurrence carries, always kept in float32: heads, then the two sizes of the matrix of each; or channels, size."""
