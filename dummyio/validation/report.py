"""`Report`: everything that a validation found; written as JSON, HTML or JUnit XML, and read back from JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from dummyio.errors import OutputError, SourceError
from dummyio.feeds.atomic import atomic_file
from dummyio.validation.records import Comparison, Finding, Outcome, Tolerance

__all__ = ["OutputSummary", "Report"]


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


class Report(msgspec.Struct, frozen=True, kw_only=True):
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

    def __str__(self) -> str:
        from dummyio.report.terminal import to_text  # noqa: PLC0415 - only where it is shown

        return to_text(self)

    def to_json(self) -> bytes:
        """Return the report as JSON: what `load` reads."""
        return msgspec.json.format(msgspec.json.encode({**msgspec.to_builtins(self), "ok": self.ok}), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read what `to_json` wrote; raise `SourceError` for anything else."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise SourceError(f"this is no report of a validation: {error}.") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Report:
        """Read a ``.json`` file that `save` wrote; errors as `from_json`."""
        try:
            return cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise SourceError(f"{os.fspath(path)}: cannot be read ({error.strerror}).") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report, whole or not at all: ``.json``, ``.html`` (one page, nothing loaded), ``.xml`` (JUnit).

        Raises
        ------
        OutputError
            for another suffix, or where it cannot be written.
        """
        writers: dict[str, Any] = {".json": Report.to_json, ".html": _html, ".xml": _xml}
        write = writers.get(Path(path).suffix)
        if write is None:
            raise OutputError(f"{os.fspath(path)}: reports are written as {', '.join(writers)}; choose by the suffix.")
        content = write(self)
        with atomic_file(path) as stream:
            stream.write(content)


def _html(report: Report) -> bytes:
    from dummyio.report.html import to_html  # noqa: PLC0415 - needs a library that the rest does not

    return to_html(report)


def _xml(report: Report) -> bytes:
    from dummyio.report.junit import to_xml  # noqa: PLC0415 - as above

    return to_xml(report)


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
