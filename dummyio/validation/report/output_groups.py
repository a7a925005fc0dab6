"""One summary for many outputs of one kind: ``present.0.key … present.11.value (24)``."""

import itertools
import re
from collections.abc import Sequence

import msgspec

from dummyio.validation.data.records import Tolerance
from dummyio.validation.data.report_data import OutputSummary, ReportData, collect_comparisons, summarize_comparisons

_LEAST = 4
"""The smallest group; fewer outputs stay separate."""


def group_outputs(report: ReportData) -> list[tuple[OutputSummary, ...]]:
    """Return the outputs in their order, as groups: the summary of each, then its members if there are several.

    Outputs share a group if they pass, are neighbours, and their names differ from a number on.
    """
    found = collect_comparisons(report.outcomes)
    groups: list[tuple[OutputSummary, ...]] = []
    for family, neighbours in itertools.groupby(report.by_output(), _family):
        members = tuple(neighbours)
        if family is None or len(members) < _LEAST:
            groups += [(one,) for one in members]
            continue
        name = f"{members[0].output} … {members[-1].output} ({len(members)})"
        made = [one for member in members for one in found[member.output]]
        groups.append((summarize_comparisons(name, made, _widest_tolerance(members)), *members))
    return groups


def _family(one: OutputSummary) -> str | None:
    """Return the start of an output's name up to its first number; None for an output that stays separate."""
    found = re.match(r"(\D+)\d", one.output)
    return found[1] if found is not None and one.ok else None


def _widest_tolerance(members: Sequence[OutputSummary]) -> Tolerance | None:
    tolerances = [one.tolerance for one in members if one.tolerance is not None]
    if not tolerances:
        return None
    widest = max(tolerances, key=lambda one: (one.of_scale, one.absolute))
    if len({one.reason for one in tolerances}) == 1:
        return widest
    return msgspec.structs.replace(widest, reason=f"at most {widest.reason}")
