"""What a proof runs: a model, function or file of one framework, on shapes or with values."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from dummyio.input_spec import InputSpec
from dummyio.typing import Array

Level = Literal["shapes", "values"]
"""How a source is run: by its framework's own evaluation of shapes, or on values."""
Ending = Literal["took", "refused", "unknown"]
"""How a run ended: the source took the inputs, refused them, or the run could not show it."""


@dataclass(frozen=True)
class Run:
    """One run, and how it ended."""

    ending: Ending
    error: Exception | None = None
    """What the framework raised; why the run shows nothing, if its ending is unknown."""
    digest: bytes | None = None
    """A digest of the results, if the inputs were given."""


class Subject(Protocol):
    """A source that can be run on the inputs of a spec. It is not changed."""

    label: str
    """The source, for messages."""
    versions: Mapping[str, str]
    """Package → version, of what it is run with."""
    levels: tuple[Level, ...]
    """The levels that ``prove="auto"`` takes, the first one that has no obstacle."""
    runs: int
    """The sizes at most that ``prove="auto"`` runs."""
    guessed: Collection[str]
    """Inputs whose dtype the source does not declare."""
    unseen: tuple[str, ...]
    """What runs on shapes do not show of this kind of source."""

    def find_obstacle(self, level: Level, *, asked: bool) -> str | None:
        """Return why the source cannot be run at a level; None if it can.

        Parameters
        ----------
        level
            The level.
        asked
            Whether the caller asks for this level: then it may cost more.
        """

    def run(
        self, spec: InputSpec, sizes: Mapping[str, int], level: Level, feeds: dict[str, Array] | None = None
    ) -> Run:
        """Run the source on the inputs of a spec at these sizes of its dims: on those of its first sample, or on the given ones."""
        ...
