"""Moved out of dummyio/validation/report.py."""

from __future__ import annotations

import msgspec

from dummyio.validation.data.records import Comparison, Finding, Outcome, Tolerance


class OutputSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """One output over all cases: its worst numbers."""

    output: str
    ok: bool
    cases: int
    max_abs: float
    max_rel: float
    mean_abs: float
    cosine: float
    mismatched: float
    top1: float | None
    tolerance: Tolerance | None
    histogram: tuple[int, ...]


def _summary(name: str, made: list[Comparison], tolerance: Tolerance | None) -> OutputSummary:
    scores = [one.top1 for one in made if one.top1 is not None]
    counted = [one.histogram for one in made if one.histogram]
    return OutputSummary(
        output=name,
        ok=all(one.ok for one in made),
        cases=len(made),
        max_abs=max(one.max_abs for one in made),
        max_rel=max(one.max_rel for one in made),
        mean_abs=max(one.mean_abs for one in made),
        cosine=min(one.cosine for one in made),
        mismatched=max(one.mismatched for one in made),
        top1=min(scores) if scores else None,
        tolerance=tolerance,
        histogram=tuple(map(sum, zip(*counted, strict=True))),
    )


class ReportData(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a validation. `ok` is True where nothing is wrong: no finding is an error, and something was compared."""

    format: int = 1

    actual: str

    reference: str | None

    spec: str

    """The spec's sha256."""

    seed: int

    outcomes: tuple[Outcome, ...]

    findings: tuple[Finding, ...]

    tolerances: dict[str, Tolerance]

    seconds: dict[str, float]

    """``reference`` and ``actual``: in their runs alone; ``total``: in all of the validation."""

    runs: dict[str, int]

    """How often each was run."""

    versions: dict[str, str]

    failing: tuple[str, ...] = ()

    """Folders of failing cases that were saved."""

    @property
    def ok(self) -> bool:
        """Whether the artifact passes."""
        return not self.errors and any(outcome.status == "passed" for outcome in self.outcomes)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """What is wrong."""
        return tuple(finding for finding in self.findings if finding.severity == "error")

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """What keeps the validation from showing more."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def by_output(self) -> tuple[OutputSummary, ...]:
        """Return each output's worst numbers over all cases."""
        found: dict[str, list[Comparison]] = {}
        for outcome in self.outcomes:
            for made in outcome.comparisons:
                found.setdefault(made.output, []).append(made)
        return tuple(_summary(name, made, self.tolerances.get(name)) for name, made in found.items())
