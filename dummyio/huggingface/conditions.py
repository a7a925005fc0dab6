"""What the conditions of inputs ask for: those of the media and of what is optional stand in tables of their own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Protocol

from dummyio.normalized import NormalizedConfig

__all__ = ["Condition", "Facts"]


class Facts(Protocol):
    """What the conditions ask for."""

    @property
    def offered(self) -> frozenset[str]:
        """Names of the arguments."""
        ...

    @property
    def config(self) -> NormalizedConfig:
        """The model's configuration."""
        ...

    @property
    def everything(self) -> bool:
        """Whether to feed all data that the model takes."""
        ...

    @property
    def code(self) -> Mapping[str, str]:
        """The model's source text."""
        ...


Condition = Callable[[Facts], bool]
