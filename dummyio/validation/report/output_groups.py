"""Many outputs of one kind as one line: `present.0.key … present.11.value (24)`."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dummyio.validation.data.report_data import OutputSummary

__all__ = ["Group", "group_outputs"]

_LEAST = 4
"""Fewer stay as they are."""


@dataclass(frozen=True)
class Group:
    """Outputs that stand in one line, with their worst numbers."""

    members: tuple[OutputSummary, ...]

    @property
    def name(self) -> str:
        """The first and the last one's name, and how many there are."""
        first, last = self.members[0].output, self.members[-1].output
        return first if len(self.members) == 1 else f"{first} … {last} ({len(self.members)})"

    @property
    def ok(self) -> bool:
        """Whether all are."""
        return all(one.ok for one in self.members)

    def most(self, number: str) -> float:
        """Return the largest of one of the numbers."""
        return max(getattr(one, number) for one in self.members)

    @property
    def cosine(self) -> float:
        """The smallest one."""
        return min(one.cosine for one in self.members)

    @property
    def top1(self) -> float | None:
        """The smallest one, where there are any."""
        return min((one.top1 for one in self.members if one.top1 is not None), default=None)

    @property
    def reason(self) -> str:
        """Why the tolerance is what it is; of the widest where they differ."""
        allowed = [one.tolerance for one in self.members if one.tolerance is not None]
        if not allowed:
            return ""
        widest = max(allowed, key=lambda one: (one.of_scale, one.absolute))
        return widest.reason if len({one.reason for one in allowed}) == 1 else f"at most {widest.reason}"


def group_outputs(summaries: Sequence[OutputSummary]) -> list[Group]:
    """Return the outputs in their order; those that pass, stand together and differ in a number share a group."""
    groups = []
    for key, members in itertools.groupby(summaries, _family):
        same = tuple(members)
        groups += [Group(same)] if key is not None and len(same) >= _LEAST else [Group((one,)) for one in same]
    return groups


def _family(one: OutputSummary) -> str | None:
    """Return what an output's name begins with, up to its number; None where it stands alone."""
    found = re.match(r"(\D+)\d", one.output)
    return found[1] if found is not None and one.ok else None
