"""Compares a report with an earlier one."""

from collections.abc import Iterator

from dummyio.validation.data.records import Finding
from dummyio.validation.data.report_data import ReportData

_WORSE = 4.0
"""Errors that grew by less than this factor may come from another machine or another version."""


def find_regressions(earlier: ReportData, now: ReportData) -> Iterator[Finding]:
    """Yield a finding for each finding that the earlier report lacks, and for each error that grew."""
    if earlier.spec != now.spec:
        message = "the baseline has another spec: only the outputs of both are compared."
        yield Finding("baseline", "warning", "spec", message)
    known = {(finding.kind, finding.where) for finding in earlier.findings}
    for finding in now.findings:
        if (finding.kind, finding.where) not in known:
            yield Finding("baseline", finding.severity, finding.where, f"new since the baseline: {finding.message}")
    before = {one.output: one for one in earlier.by_output()}
    for one in now.by_output():
        old = before.get(one.output)
        if old is not None and old.max_abs > 0 and one.max_abs > _WORSE * old.max_abs:
            times = one.max_abs / old.max_abs
            message = f"the error is {one.max_abs:.1e}, {times:.0f} times that of the baseline ({old.max_abs:.1e})."
            yield Finding("baseline", "warning", one.output, message)
