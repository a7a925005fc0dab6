"""What a graph shows of its inputs, whatever framework it is of: which table an id indexes, how long a sequence can be."""

from __future__ import annotations

from dataclasses import dataclass, field

from dummyio.spec.dims import Size

__all__ = ["GraphFacts", "InputAlias", "SizeLimit"]


@dataclass(frozen=True, slots=True)
class InputAlias:
    """An input whose elements a value holds, each plus `offset`."""

    path: str
    offset: int = 0


@dataclass(frozen=True, slots=True)
class SizeLimit:
    """A size that must not exceed `most`, because of the table named `reason`."""

    size: Size
    most: int
    reason: str


@dataclass(slots=True)
class GraphFacts:
    """What was found, by input."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Elements are indices below this, into the table named."""

    indices: set[str] = field(default_factory=set[str])
    """Elements are indices into something whose size is not known, or varies."""

    parameters: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Elements are a size, an axis or a step of the operation named; this value is the safe one."""

    divisors: set[str] = field(default_factory=set[str])
    limits: list[SizeLimit] = field(default_factory=list[SizeLimit])
    floors: list[tuple[Size, str]] = field(default_factory=list[tuple[Size, str]])
    """Sizes that must not be negative, because of the operation named."""

    def index(self, origin: InputAlias, rows: Size | None, table: str) -> None:
        """Note that an input indexes an axis of that size."""
        if not isinstance(rows, int) or rows - origin.offset < 1:
            self.indices.add(origin.path)
        elif origin.path not in self.rows or rows - origin.offset < self.rows[origin.path][0]:
            self.rows[origin.path] = (rows - origin.offset, table)

    def limit(self, size: Size, most: int, table: str) -> None:
        """Note that a size is bounded."""
        if not isinstance(size, int) and most >= 1:
            self.limits.append(SizeLimit(size, most, table))
