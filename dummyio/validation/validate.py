"""`validate`: runs reference and actual over all cases, and says what is wrong."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from dummyio.backend.frameworks import qualified_name
from dummyio.errors import OptionError, RunError, SourceError
from dummyio.exporting.artifact import spec_path
from dummyio.input_spec import InputSpec
from dummyio.running.runner import open_runner
from dummyio.typing import Array
from dummyio.validation.checks import declared_signature as declared
from dummyio.validation.checks import diagnosis
from dummyio.validation.checks import input_sensitivity as evidence
from dummyio.validation.checks.metamorphic import check_relations
from dummyio.validation.checks.regression import find_regressions
from dummyio.validation.comparing.cases import Cases, likely_sizes
from dummyio.validation.comparing.model_pair import Match, Pair
from dummyio.validation.comparing.tolerance import Tolerances, measure_rounding_error
from dummyio.validation.data.records import Case, Finding, Outcome
from dummyio.validation.failing_cases import save_case
from dummyio.validation.report.report import Report
from dummyio.validation.shrink import shrink

__all__ = ["validate"]

Progress = Callable[[int, int, str], object]


def validate(  # noqa: PLR0913 - keywords, each a choice of its own
    actual: Any,
    reference: Any = None,
    *,
    spec: InputSpec | None = None,
    task: str | None = None,
    seed: int = 0,
    atol: float | Mapping[str, float] | None = None,
    rtol: float | Mapping[str, float] | None = None,
    tolerance: str | None = None,
    match: Match = "name",
    engine: str | None = None,
    relations: bool = True,
    baseline: Report | str | os.PathLike[str] | None = None,
    failing: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **dims: Any,
) -> Report:
    """Compare an exported model with its reference over the probe plan, and check what must hold for any export.

    Parameters
    ----------
    actual
        An artifact's path, or anything `dummyio.open_runner` takes.
    reference
        The model that was exported: as `actual`. Without one only the relations are checked.
    spec
        The inputs; where not given, the spec that `dummyio.export` left beside the artifact, else the reference described.
    task, dims
        As in `dummyio.describe`.
    seed
        Which values.
    atol, rtol
        Tolerances, for all outputs or by name; where not given they follow from the dtype and from the reference's own
        error. `tolerance` names a preset for an artifact that is coarser on purpose: ``"float16"``, ``"int8"`` ...
    match
        ``"position"`` compares outputs in their order, for artifacts that name them otherwise.
    engine
        As in `dummyio.open_runner`, for `actual`.
    relations
        Also check that rows, padding and steps do not change results.
    baseline
        An earlier report, or its ``.json``: what became worse is a finding.
    failing
        A folder for failing cases: each is shrunk and saved with its inputs and a script that runs it again.
    progress
        Called after each case with how many are done, how many there are, and its name.

    Raises
    ------
    SourceError
        for what cannot be read.
    RunError
        where nothing can be compared: the reference fails, or gives other results when it is run again, or the artifact
        has inputs that the spec does not know.
    """
    began = time.perf_counter()
    spec = _spec(actual, reference, spec, task, dims)
    if match not in ("name", "position"):
        raise OptionError(f"match={match!r}: outputs are compared by 'name' or by 'position'.")
    earlier = baseline if isinstance(baseline, Report) or baseline is None else Report.load(baseline)
    pair = Pair(
        Cases(spec, seed),
        open_runner(actual, spec, engine=engine),
        open_runner(reference, spec) if reference is not None else None,
        Tolerances(atol, rtol, tolerance),
        match,
    )
    declared.require_known_inputs(spec, pair.actual)
    work = _Validation(pair, progress)
    work.run(relations=relations)
    saved = work.save_failing(failing, _name(actual), engine) if failing is not None else ()
    report = work.report(_name(actual), None if reference is None else _name(reference), seed, saved, began)
    if earlier is None:
        return report
    return msgspec.structs.replace(report, findings=(*report.findings, *find_regressions(earlier, report)))


@dataclass
class _Validation:
    """One validation as it goes on."""

    pair: Pair
    progress: Progress | None
    outcomes: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    digests: list[evidence.Digest] = field(default_factory=list)
    dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)
    expected: list[str] = field(default_factory=list)

    def run(self, *, relations: bool) -> None:
        """Run all cases and checks."""
        plan = self.pair.cases.plan()
        # Second, so that no result is kept longer than until the next case.
        plan = [plan[0], *sorted(plan[1:], key=lambda case: case.name != "other values")]
        self._check_reference(plan[0])
        self.findings += declared.check_inputs(self.pair.cases.spec, self.pair.actual)
        shapes = declared.Shapes(self.pair.cases.spec, self.pair.actual)
        for number, case in enumerate(plan):
            self.outcomes.append(self._outcome(case, shapes, number))
            if self.progress is not None:
                self.progress(number + 1, len(plan) + 1, case.name)
        self.outcomes += list(self._rescue())
        self.findings += shapes.findings()
        self._conclude(plan[0], relations=relations)
        if self.progress is not None:
            self.progress(len(plan) + 1, len(plan) + 1, "relations")

    def _check_reference(self, case: Case) -> None:
        """Find a reference that fails or is not deterministic first: nothing could be said of anything else."""
        runner = self.pair.reference
        if runner is None:
            return
        feeds = self.pair.cases.feeds(case)
        try:
            first, again = self.pair.run("reference", feeds), self.pair.run("reference", feeds)
        except RunError as error:
            raise RunError(f"the reference itself fails, at sizes {case.sizes}: {error}") from error
        self.expected = list(first)
        self.dtypes = {name: values.dtype for name, values in first.items()}
        self.pair.tolerances.check_names(first)
        apart = evidence.differing(first, again, self.pair.tolerances)
        if apart:
            raise RunError(
                f"the reference is not deterministic: {', '.join(apart)} differ between two runs on the same inputs. "
                "Put it into evaluation mode, or fix its seed, and validate again."
            )
        self._learn(feeds, first)

    def _learn(self, feeds: Mapping[str, Array], first: Mapping[str, Array]) -> None:
        """Measure the reference's own error, where it can be run in double precision."""
        in_double = getattr(self.pair.reference, "in_double", None)
        try:
            precise = in_double(feeds) if in_double is not None else {}
        except RunError:  # not every model computes in double precision; the tolerance's reason then says so
            return
        for name in precise.keys() & first.keys():
            self.pair.tolerances.learn(name, measure_rounding_error(first[name], precise[name]))

    def _outcome(self, case: Case, shapes: declared.Shapes, number: int) -> Outcome:
        def seen(which: str, outputs: dict[str, Array]) -> None:
            if which == "actual":
                shapes.see(case.name, case.sizes, outputs)
                if number == 0:
                    self._see_outputs(outputs)
            if number < 2 and which == ("reference" if self.pair.reference is not None else "actual"):
                self.digests.append(evidence.sample_outputs(outputs))

        outcome = self.pair.outcome(case, seen)
        return self._looked_at_again(outcome) if self.pair.is_close(outcome) else outcome

    def _see_outputs(self, outputs: dict[str, Array]) -> None:
        if self.pair.reference is not None and self.pair.match == "name":
            self.findings += declared.check_outputs(self.expected, self.pair.actual, outputs, self.dtypes)

    def _looked_at_again(self, outcome: Outcome) -> Outcome:
        """Measure the reference's own error in this case too, and compare once more."""
        feeds = self.pair.cases.feeds(outcome.case)
        self._learn(feeds, self.pair.run("reference", feeds))
        return self.pair.outcome(outcome.case)

    def _rescue(self) -> Iterator[Outcome]:
        """Where no case passes, look for sizes that do: those that the artifact was made with are the most likely."""
        if any(outcome.status == "passed" for outcome in self.outcomes):
            return
        spec, first = self.pair.cases.spec, self.outcomes[0].case
        for name, sizes in likely_sizes(spec, self.pair.actual, first.sizes):
            case = msgspec.structs.replace(first, name=name, sizes=sizes)
            outcome = self.pair.outcome(case)
            if outcome.status != "passed":
                continue
            yield outcome
            for dim, size in first.sizes.items():
                if sizes[dim] != size and spec.dims[dim].takes(size):
                    alone = msgspec.structs.replace(case, name=f"{name}, {dim}={size}", sizes={**sizes, dim: size})
                    yield self.pair.outcome(alone)
            return

    def _conclude(self, case: Case, *, relations: bool) -> None:
        """Turn outcomes into findings, and run the checks that need no reference."""
        self.findings += diagnosis.find_specialized_dims(self.outcomes)
        self.findings += diagnosis.list_failures(self.outcomes)
        self.findings += diagnosis.list_skipped_checks(self.outcomes)
        if len(self.digests) == 2:
            first, second = self.digests
            self.findings += evidence.find_insensitive_outputs(first, second, self.pair.tolerances)
        if any(outcome.status == "passed" or outcome.comparisons for outcome in self.outcomes):
            self.findings += self._repeated(case)
            if relations:
                self.findings += check_relations(self.pair, case)

    def _repeated(self, case: Case) -> Iterator[Finding]:
        feeds = self.pair.cases.feeds(case)
        try:
            first, again = self.pair.run("actual", feeds), self.pair.run("actual", feeds)
        except RunError:  # the outcome of this case says so
            return
        for name in evidence.differing(first, again, self.pair.tolerances):
            yield Finding(
                "nondeterministic", "error", name, "it differs between two runs on the same inputs.", (case.name,)
            )

    def save_failing(self, folder: str | os.PathLike[str], artifact: str, engine: str | None) -> tuple[str, ...]:
        """Shrink the first failing case of each kind of failure, and save it."""
        saved = []
        kinds: set[tuple[str, ...]] = set()
        for outcome in self.outcomes:
            kind = tuple(made.output for made in outcome.comparisons if not made.ok) or (outcome.reason[:60],)
            if outcome.status != "failed" or kind in kinds or self.pair.reference is None:
                continue
            kinds.add(kind)
            case = shrink(self.pair.cases.spec, outcome.case, lambda case: self.pair.outcome(case).status == "failed")
            expected = self.pair.run("reference", self.pair.cases.feeds(case))
            saved.append(str(save_case(folder, self.pair, case, expected, artifact, engine)))
        return tuple(saved)

    def report(self, actual: str, reference: str | None, seed: int, failing: tuple[str, ...], began: float) -> Report:
        """Return the report."""
        engines = {"actual": self.pair.actual.engine}
        if self.pair.reference is not None:
            engines["reference"] = self.pair.reference.engine
        return Report(
            actual=actual,
            reference=reference,
            spec=self.pair.cases.spec.sha256,
            seed=seed,
            outcomes=tuple(self.outcomes),
            findings=tuple(self.findings),
            tolerances={name: self.pair.tolerances.of(name, dtype, dtype) for name, dtype in self.dtypes.items()},
            seconds={**self.pair.seconds, "total": time.perf_counter() - began},
            runs=dict(self.pair.runs),
            versions={**engines, "python": platform.python_version(), "numpy": np.__version__},
            failing=failing,
        )


def _spec(actual: Any, reference: Any, spec: InputSpec | None, task: str | None, dims: Mapping[str, Any]) -> InputSpec:
    """Return the spec that was given, or lies beside the artifact, or describes the reference, or the artifact itself."""
    from dummyio.describing import describe  # noqa: PLC0415 - a spec may be at hand

    if spec is not None:
        return describe(spec, task, **dims)
    if isinstance(actual, (str, os.PathLike)):
        if not Path(actual).exists():
            raise SourceError(f"{os.fspath(actual)}: no such file or folder.")
        if spec_path(actual).is_file() and task is None:
            return describe(spec_path(actual), None, **dims)
    return describe(actual if reference is None else reference, task, **dims)


def _name(target: Any) -> str:
    return os.fspath(target) if isinstance(target, (str, os.PathLike)) else qualified_name(target)
