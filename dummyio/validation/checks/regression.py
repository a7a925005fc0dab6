"""Compares a report with an earlier one, whose defects are known."""

from collections.abc import Iterator

import msgspec

from dummyio.validation.data.records import Finding
from dummyio.validation.data.report_data import ReportData

_WORSE = 4.0
"""Errors that grew by less than this factor may come from another machine or another version."""
_MORE = 0.05
"""So may a share of wrong elements that grew by less than this."""


def mark_known(earlier: ReportData, now: ReportData) -> Iterator[Finding]:
    """Yield the findings, each known if the earlier report has one of that kind, of that place, in all of its cases.

    Cases of one name are the same only if their inputs are: if both reports have inputs that the other one lacks, nothing is known.
    """
    before, after = set(earlier.inputs), set(now.inputs)
    is_same = before <= after or after <= before
    cases = {(finding.kind, finding.where): {*finding.cases} for finding in earlier.findings if is_same}
    for finding in now.findings:
        shown = cases.get((finding.kind, finding.where))
        is_known = shown is not None and shown.issuperset(finding.cases)
        yield msgspec.structs.replace(finding, known=True) if is_known else finding


def find_regressions(earlier: ReportData, now: ReportData) -> Iterator[Finding]:
    """Yield a finding for each error of an output that grew, in size or in its share: an error of the report if it is beyond its tolerance."""
    if earlier.spec != now.spec:
        message = "the baseline has another spec: only the outputs of both are compared."
        yield Finding("baseline", "warning", "spec", message)
    before = {one.output: one for one in earlier.by_output()}
    for one in now.by_output():
        old = before.get(one.output)
        if old is None:
            continue
        message = _describe_share(earlier, now, one.output)
        if old.max_abs > 0 and one.max_abs > _WORSE * old.max_abs:
            times = one.max_abs / old.max_abs
            message = f"the error is {one.max_abs:.1e}, {times:.0f} times that of the baseline ({old.max_abs:.1e})."
        if message:
            yield Finding("baseline", "warning" if one.ok else "error", one.output, message)


def _describe_share(earlier: ReportData, now: ReportData, output: str) -> str:
    """Return the first case in which more elements are beyond the tolerance than before; an empty text if there is none."""
    before = _list_shares(earlier, output)
    for case, share in _list_shares(now, output).items():
        old = before.get(case, 0.0)
        if old > 0 and share > _WORSE * old and share > old + _MORE:
            return f"{share:.1%} of the elements are off in the case {case!r}, and {old:.1%} in the baseline."
    return ""


def _list_shares(report: ReportData, output: str) -> dict[str, float]:
    """Return case → the share of the output's elements beyond the tolerance."""
    return {
        outcome.case.name: made.mismatched
        for outcome in report.outcomes
        for made in outcome.comparisons
        if made.output == output
    }
