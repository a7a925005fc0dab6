"""Compares a report with an earlier one, whose defects are known."""

from collections.abc import Iterable, Iterator

import msgspec

from dummyio.validation.data.records import Finding
from dummyio.validation.data.report_data import ReportData

_WORSE = 4.0
"""Errors that grew by less than this factor may come from another machine or another version."""


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
        if old.max_abs > 0 and one.max_abs > _WORSE * old.max_abs:
            times = one.max_abs / old.max_abs
            message = f"the error is {one.max_abs:.1e}, {times:.0f} times that of the baseline ({old.max_abs:.1e})."
        elif old.mismatched > 0 and _total_mismatched(now, one.output) > ...:
            pass
        else:
            continue
        yield Finding("baseline", "warning" if one.ok else "error", one.output, message)
