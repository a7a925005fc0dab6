"""The content of a report, and its summary by output."""

from collections.abc import Iterable, Sequence
from itertools import chain

import msgspec

from dummyio.validation.data.records import Comparison, Finding, Outcome, RunRecord, Tolerance


class OutputSummary(msgspec.Struct, frozen=True, omit_defaults=True):
    """The worst numbers of an output over all cases, or of several outputs."""

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
    bounds: tuple[float, float] | None = None
    """The smallest and the largest tolerance; None if all elements must be equal."""


def collect_comparisons(outcomes: Iterable[Outcome]) -> dict[str, list[Comparison]]:
    """Return output → its comparisons in all cases."""
    found: dict[str, list[Comparison]] = {}
    for made in chain.from_iterable(outcome.comparisons for outcome in outcomes):
        found.setdefault(made.output, []).append(made)
    return found


def summarize_comparisons(name: str, made: Sequence[Comparison], tolerance: Tolerance | None) -> OutputSummary:
    """Return the worst numbers of some comparisons, under one name."""
    bounds = [one.bound for one in made if one.bound > 0]
    return OutputSummary(
        output=name,
        ok=all(one.ok for one in made),
        cases=len(made),
        max_abs=max(one.max_abs for one in made),
        max_rel=max(one.max_rel for one in made),
        mean_abs=max(one.mean_abs for one in made),
        cosine=min(one.cosine for one in made),
        mismatched=max(one.mismatched for one in made),
        top1=min((one.top1 for one in made if one.top1 is not None), default=None),
        tolerance=tolerance,
        histogram=tuple(map(sum, zip(*(one.histogram for one in made if one.histogram), strict=True))),
        bounds=(min(bounds), max(bounds)) if bounds else None,
    )


class InputRow(msgspec.Struct, frozen=True, omit_defaults=True):
    """An input of the cases, as a report shows it."""

    name: str
    dtype: str
    shape: str
    values: str
    """The rule of its values."""


class ReportData(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a validation."""

    format: int = 2
    actual: str
    reference: str | None
    spec: str
    """The sha256 of the spec."""
    seed: int
    outcomes: tuple[Outcome, ...]
    findings: tuple[Finding, ...]
    tolerances: dict[str, Tolerance]
    inputs: tuple[InputRow, ...] = ()
    runs: dict[str, int]
    """The number of runs of each side."""
    versions: dict[str, str]
    """The engine of each side, packages, and the instruction set of the processor."""
    failing: tuple[str, ...] = ()
    """The folders of saved failing cases."""
    run: RunRecord = RunRecord()

    @property
    def ok(self) -> bool:
        """Whether the artifact passes: no finding is an error that the baseline lacks, and something was shown.

        A case that passed shows something, and so do one that ran without a reference, and a known error.
        """
        shown = self.known or any(outcome.status in ("passed", "ran") for outcome in self.outcomes)
        return not self.errors and bool(shown)

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The defects that a baseline does not have."""
        return tuple(finding for finding in self.findings if finding.severity == "error" and not finding.known)

    @property
    def known(self) -> tuple[Finding, ...]:
        """The defects that the baseline has too."""
        return tuple(finding for finding in self.findings if finding.severity == "error" and finding.known)

    @property
    def seconds(self) -> dict[str, float]:
        """The time of the runs of each side, and of the whole validation."""
        return self.run.seconds

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """The reasons why agreement is not proved."""
        return tuple(finding for finding in self.findings if finding.severity == "warning")

    def by_output(self) -> tuple[OutputSummary, ...]:
        """Return the worst numbers of each output over all cases."""
        found = collect_comparisons(self.outcomes).items()
        return tuple(summarize_comparisons(name, made, self.tolerances.get(name)) for name, made in found)
