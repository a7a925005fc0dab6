"""What a model's own text says of one of its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

__all__ = ["Kind", "Statement"]

Kind: TypeAlias = Literal["int", "float", "bool"]


@dataclass(frozen=True, slots=True)
class Statement:
    """An argument's kind, and its shape as words; None for what the text does not say."""

    kind: Kind | None = None
    shape: tuple[str, ...] | None = None
