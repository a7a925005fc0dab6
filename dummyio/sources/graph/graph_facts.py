"""What a graph shows of its inputs in any framework: the table that ids index, the largest length of a sequence."""

from dataclasses import dataclass, field

from dummyio.spec.dims import Size

Number = int | float


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


@dataclass(frozen=True, slots=True)
class KnownValues:
    """Values that an operation knows."""

    values: tuple[Number | str, ...]
    takes_others: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ParameterValues:
    """The values of an input that is a parameter of an operation: a size, an axis, a scale."""

    options: tuple[Number, ...]
    """Those that each element may have; empty if the elements differ."""
    row: tuple[Number, ...] | None
    """The value of each element."""
    reason: str


@dataclass(slots=True)
class GraphFacts:
    """The facts by input."""

    rows: dict[str, tuple[int, str]] = field(default_factory=dict[str, tuple[int, str]])
    """Input → elements are indices below this number, into the table named."""

    indices: dict[str, Size | None] = field(default_factory=dict[str, "Size | None"])
    """Input → the size of the axis that its elements index, if it is dynamic; None if it is unknown."""

    parameters: dict[str, ParameterValues] = field(default_factory=dict[str, ParameterValues])

    choices: dict[str, KnownValues] = field(default_factory=dict[str, "KnownValues"])
    """Input → the values that it is looked up in or compared with."""

    ranges: dict[str, tuple[float, float, str]] = field(default_factory=dict[str, tuple[float, float, str]])
    """Input → the smallest number, the largest, and the operation that is defined between them alone."""

    divisors: set[str] = field(default_factory=set[str])
    limits: list[SizeLimit] = field(default_factory=list[SizeLimit])
    floors: list[tuple[Size, str]] = field(default_factory=list[tuple[Size, str]])
    """Sizes that must not be negative, because of the operation named."""

    def add_index(self, alias: InputAlias, rows: Size | None, table: str) -> None:
        """Note that an input indexes an axis of that size."""
        if not isinstance(rows, int) or rows - alias.offset < 1:
            known = None if isinstance(rows, int) or alias.offset else rows
            self.indices[alias.path] = self.indices.get(alias.path) or known
        elif alias.path not in self.rows or rows - alias.offset < self.rows[alias.path][0]:
            self.rows[alias.path] = (rows - alias.offset, table)

    def add_range(self, path: str, low: float, high: float, reason: str) -> None:
        """Note the interval of an input's numbers: the part that it has in common with those that are known, if there is one."""
        before = self.ranges.get(path)
        if before is not None:
            low, high, reason = (
                max(low, before[0]),
                min(high, before[1]),
                before[2] if reason in before[2] else f"{before[2]}, {reason}",
            )
        if low < high:
            self.ranges[path] = (low, high, reason)

    def add_limit(self, size: Size, most: int, table: str) -> None:
        """Note that a size has a largest value."""
        if not isinstance(size, int) and most >= 1:
            self.limits.append(SizeLimit(size, most, table))
