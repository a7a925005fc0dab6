"""The options and constants of all topics."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BERT = Path(__file__).parents[1] / "examples" / "bert-base" / "config.json"
MIB = 1 << 20


@dataclass(frozen=True)
class Options:
    """The options of the command line."""

    quick: bool = False
    optimum: str | None = None
    """The Python interpreter of an environment with Optimum."""

    @property
    def turns(self) -> int:
        """The number of turns of subjects that take milliseconds."""
        return 3 if self.quick else 25

    @property
    def process_turns(self) -> int:
        """The number of turns of whole processes."""
        return 1 if self.quick else 11

    @property
    def short_turns(self) -> int:
        """The number of turns of subjects that take microseconds and are repeated within a turn."""
        return 3 if self.quick else 101

    @property
    def sizes(self) -> tuple[int, ...]:
        """The sizes of large tensors, in bytes."""
        return (8 * MIB,) if self.quick else (64 * MIB, 256 * MIB)


def format_mib(size: int) -> str:
    """Return a size in bytes as text for a row."""
    return f"{size // MIB} MiB"
