"""What the topics are told, and what they share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BERT = Path(__file__).parents[1] / "examples" / "bert-base" / "config.json"
MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    """What was asked for on the command line."""

    quick: bool = False
    optimum: str | None = None
    """The interpreter of an environment that has Optimum."""

    @property
    def turns(self) -> int:
        """How many turns subjects take that need milliseconds."""
        return 3 if self.quick else 25

    @property
    def process_turns(self) -> int:
        """How many turns whole processes take."""
        return 1 if self.quick else 11

    @property
    def short_turns(self) -> int:
        """How many turns subjects take that need microseconds, and make a turn of many of them."""
        return 3 if self.quick else 101

    @property
    def sizes(self) -> tuple[int, ...]:
        """Bytes of what counts as large."""
        return (8 * MIB,) if self.quick else (64 * MIB, 256 * MIB)


def mib(size: int) -> str:
    """Return a size for a row's name."""
    return f"{size // MIB} MiB"
