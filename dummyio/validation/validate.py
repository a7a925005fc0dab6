"""`validate`: runs reference and artifact on all cases, and turns the results into findings."""

import os
import platform
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import msgspec
import numpy as np

from dummyio.backend.formats import is_present
from dummyio.backend.frameworks import qualified_name
from dummyio.describing import describe
from dummyio.errors import OptionError, RunError, SourceError
from dummyio.exporting.artifact import find_spec_path
from dummyio.generators.base.context import PAST
from dummyio.input_spec import InputSpec
from dummyio.option_types import convert_option
from dummyio.running.runner import open_runner
from dummyio.typing import Array, Feeds
from dummyio.validation.checks.declared_signature import DeclaredShapes, check_inputs, check_outputs
from dummyio.validation.checks.diagnosis import find_specialized_dims, list_failures, list_skipped_checks
from dummyio.validation.checks.illegal_inputs import check_illegal_inputs
from dummyio.validation.checks.input_effects import check_input_effects
from dummyio.validation.checks.input_sensitivity import (
    Digest,
    find_differing_outputs,
    find_insensitive_outputs,
    sample_outputs,
)
from dummyio.validation.checks.metamorphic import check_relations
from dummyio.validation.checks.regression import find_regressions, mark_known
from dummyio.validation.comparing.cases import Cases, propose_sizes
from dummyio.validation.comparing.match_inputs import match_inputs
from dummyio.validation.comparing.model_pair import Match, Pair, Side
from dummyio.validation.comparing.thresholds import list_left_out, list_thresholds
from dummyio.validation.comparing.tolerance import Tolerances, measure_rounding_error
from dummyio.validation.data.environment import list_versions
from dummyio.validation.data.records import Case, Finding, Outcome, RunRecord
from dummyio.validation.data.report_data import InputRow
from dummyio.validation.failing_cases import save_case
from dummyio.validation.report.report import Report
from dummyio.validation.shrink import shrink_case
from dummyio.validation.validate_parts import list_parts, validate_parts

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
    trust: bool = False,
    relations: bool = True,
    strict: bool = False,
    baseline: Report | str | os.PathLike[str] | None = None,
    failing: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    **dims: Any,
) -> Report:
    """Compare an exported model with its reference over the probe plan, and check relations that hold for any export.

    Parameters
    ----------
    actual
        The path of an artifact, or any other target of `dummyio.open_runner`; or a folder of several models, if the reference is one
        too: files of one name are compared, and all are in one report.
    reference
        The model that was exported: any target of `dummyio.open_runner`. Without it only the relations are checked.
    spec
        The inputs; by default the spec that `dummyio.export` saved next to the artifact, else the description of the
        reference.
    task, dims
        As in `dummyio.describe`.
    seed
        Selects the values.
    atol, rtol
        Tolerances, for all outputs or by name. By default they follow from the dtype and the rounding error of the
        reference.
    tolerance
        A preset for an artifact that is coarser on purpose: ``"float16"``, ``"int8"`` ...
    match
        ``"position"`` compares outputs in their order, for artifacts with other output names.
    engine
        As in `dummyio.open_runner`, for `actual`.
    trust
        As in `dummyio.open_runner`, for `actual` and `reference`.
    relations
        Whether to check that rows, padding and steps do not change results.
    strict
        Whether it is an error, and not a warning, if the artifact gives a result for inputs that must be refused.
    baseline
        An earlier report, or its ``.json``: defects that it has too, in the same cases, are known, and do not fail this one.
    failing
        A folder for failing cases: each is shrunk and saved with its inputs and a script that runs it again.
    progress
        Called after each case with the number of finished cases, the number of all cases, and its name.

    Returns
    -------
    Report
        The comparisons of all cases, and the findings.

    Raises
    ------
    SourceError
        if the artifact, the reference or the baseline cannot be read.
    TrustError
        if a file can run code or touch files, unless `trust`.
    RunError
        if no comparison is possible: the reference fails, or its results differ between two runs on the same inputs, or
        the artifact has inputs that the spec lacks.
    OptionError
        if `match`, a tolerance, an engine or a dim is unknown.

    Examples
    --------
    >>> spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))})
    >>> report = dummyio.validate(lambda x: 2 * x, lambda x: x + x, spec=spec)
    >>> report.ok, len(report.outcomes)
    (True, 7)
    """
    began = time.perf_counter()
    relations, strict = convert_option("relations", relations, bool), convert_option("strict", strict, bool)
    failing = convert_option("failing", failing, os.PathLike | None)
    progress = convert_option("progress", progress, Progress | None)
    tolerances = Tolerances(atol, rtol, tolerance)
    earlier = baseline if isinstance(baseline, Report) or baseline is None else Report.load(baseline)
    if spec is None and list_parts(actual) and list_parts(reference):
        same: dict[str, Any] = {
            "task": task,
            "seed": seed,
            "atol": atol,
            "rtol": rtol,
            "tolerance": tolerance,
            "match": match,
            "engine": engine,
            "trust": trust,
            "relations": relations,
            "strict": strict,
            "failing": failing,
            "progress": progress,
            **dims,
        }
        return _compare_with(earlier, validate_parts(actual, reference, lambda *paths: validate(*paths, **same)))
    is_given = spec is not None
    spec = _choose_spec(actual, reference, spec, task, dims)
    is_derived = not is_given and not (isinstance(actual, (str, os.PathLike)) and find_spec_path(actual))
    is_free = not is_given and task is None and reference is not None
    past_task = f"{spec.task}{PAST}" if is_free and spec.task and not spec.task.endswith(PAST) else None
    if match not in ("name", "position"):
        raise OptionError(f"match={match!r}: outputs are compared by 'name' or by 'position'.")
    matched = match_inputs(
        spec,
        lambda spec: open_runner(actual, spec, engine=engine, trust=trust),
        None if reference is None else lambda spec: open_runner(reference, spec, trust=trust),
        lambda: describe(actual, prove="off"),
        None if past_task is None else lambda: describe(reference, past_task, **dims),
        is_derived=is_derived and reference is not None,
    )
    if matched.casts and (atol, rtol, tolerance) == (None, None, None):
        tolerances = Tolerances(None, None, str(next(iter(matched.casts.values()))))  # the artifact states it itself
    cases = Cases(matched.spec, seed, list_thresholds(reference), tolerance == "int8")
    pair = Pair(cases, matched.actual, matched.reference, tolerances, match, matched.extra, matched.casts)
    work = _Validation(pair, progress, findings=list(matched.findings))
    work.run(relations=relations, strict=strict)
    saved = work.save_failing(failing, _target_name(actual), engine) if failing is not None else ()
    report = work.report(_target_name(actual), None if reference is None else _target_name(reference), saved, began)
    return _compare_with(earlier, report)


def _compare_with(earlier: Report | None, report: Report) -> Report:
    """Return the report with what an earlier one knows, and what became worse since."""
    if earlier is None:
        return report
    found = (*mark_known(earlier, report), *find_regressions(earlier, report))
    return msgspec.structs.replace(report, findings=found)


@dataclass
class _Validation:
    """The state of one validation."""

    pair: Pair
    progress: Progress | None
    outcomes: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    """Samples of the outputs of the first two cases, whose inputs differ."""
    dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)
    """The outputs of the reference."""

    def run(self, *, relations: bool, strict: bool) -> None:
        """Run all cases and checks."""
        plan = self.pair.cases.plan()
        # The case with other values is the second, so that a sample of the first is not kept longer than one case.
        plan = [plan[0], *sorted(plan[1:], key=lambda case: case.name != "other values")]
        self._check_reference(plan[0])
        self.findings += check_inputs(self.pair.cases.spec, self.pair.actual, self.pair.casts)
        shapes = DeclaredShapes(self.pair.cases.spec, self.pair.actual)
        for number, case in enumerate(plan):
            self.outcomes.append(self._run_case(case, shapes, number))
            if self.progress is not None:
                self.progress(number + 1, len(plan) + 1, case.name)
        self.outcomes += list(self._try_likely_sizes())
        self.findings += shapes.findings()
        self._conclude(plan[0], relations=relations)
        if any(outcome.status in ("passed", "ran") for outcome in self.outcomes):
            self.findings += check_illegal_inputs(self.pair, plan[0], "error" if strict else "warning")
        if self.progress is not None:
            self.progress(len(plan) + 1, len(plan) + 1, "relations")

    def _check_reference(self, case: Case) -> None:
        """Raise if the reference fails or is not deterministic: then no comparison has a meaning."""
        if self.pair.reference is None:
            return
        feeds = self.pair.cases.feeds(case)
        try:
            first, again = self.pair.run("reference", feeds), self.pair.run("reference", feeds)
        except RunError as error:
            raise RunError(f"the reference itself fails, at sizes {case.sizes}: {error}") from error
        self.dtypes = {name: values.dtype for name, values in first.items()}
        self.pair.tolerances.check_names(first)
        apart = find_differing_outputs(first, again, self.pair.tolerances)
        if apart:
            raise RunError(
                f"the reference is not deterministic: {', '.join(apart)} differ between two runs on the same inputs. "
                "Set it to evaluation mode, or fix its seed, and validate again."
            )
        self._measure_rounding(feeds, first)

    def _measure_rounding(self, feeds: Feeds, first: Mapping[str, Array]) -> None:
        """Measure the rounding error of the reference, if it can run in double precision."""
        in_double = getattr(self.pair.reference, "in_double", None)
        try:
            precise = in_double(feeds) if in_double is not None else {}
        except RunError:  # not all models run in double precision; the reason of the tolerance then states the default
            return
        for name in precise.keys() & first.keys():
            self.pair.tolerances.add_rounding_error(name, measure_rounding_error(first[name], precise[name]))

    def _run_case(self, case: Case, shapes: DeclaredShapes, number: int) -> Outcome:
        has_reference = self.pair.reference is not None

        def observe(side: Side, outputs: dict[str, Array]) -> None:
            if side == "actual":
                shapes.add_case(case.name, case.sizes, outputs)
                if number == 0 and has_reference:
                    self.findings += check_outputs(
                        list(self.dtypes),
                        self.pair.actual,
                        outputs,
                        self.dtypes,
                        is_half=bool(self.pair.casts),
                        by_position=self.pair.match == "position",
                    )
            if number < 2 and side == ("reference" if has_reference else "actual"):
                self.digests.append(sample_outputs(outputs))

        outcome = self.pair.run_case(case, observe)
        if not self.pair.is_close(outcome):
            return outcome
        feeds = self.pair.cases.feeds(case)
        self._measure_rounding(feeds, self.pair.run("reference", feeds))
        return self.pair.run_case(case)

    def _try_likely_sizes(self) -> Iterator[Outcome]:
        """If no case passes, yield cases with the sizes that the artifact was probably exported with."""
        if any(outcome.status in ("passed", "ran") for outcome in self.outcomes):
            return
        spec, first = self.pair.cases.spec, self.outcomes[0].case
        for name, sizes in propose_sizes(spec, self.pair.actual, first.sizes):
            case = msgspec.structs.replace(first, name=name, sizes=sizes)
            outcome = self.pair.run_case(case)
            if outcome.status not in ("passed", "ran"):
                continue
            yield outcome
            for dim, size in first.sizes.items():
                if sizes[dim] != size and spec.dims[dim].takes(size):
                    alone = msgspec.structs.replace(case, name=f"{name}, {dim}={size}", sizes={**sizes, dim: size})
                    yield self.pair.run_case(alone)
            return

    def _conclude(self, case: Case, *, relations: bool) -> None:
        """Turn the outcomes into findings, and run the checks that need no reference."""
        self.findings += find_specialized_dims(self.outcomes)
        self.findings += list_failures(self.outcomes)
        self.findings += list_skipped_checks(self.outcomes)
        for name, size, count in list_left_out(self.pair.cases.spec, case.sizes, self.pair.cases.stated):
            message = f"the model states a size of {size - 1}; {size} was not run: its inputs take {count / (1 << 20):.0f} MiB."
            self.findings.append(Finding("skipped", "warning", name, message))
        if len(self.digests) == 2:
            first, second = self.digests
            self.findings += find_insensitive_outputs(first, second, self.pair.tolerances)
        if any(outcome.status in ("passed", "ran") or outcome.comparisons for outcome in self.outcomes):
            self.findings += self._check_repetition(case)
            self.findings += check_input_effects(self.pair, case)
            if relations:
                self.findings += check_relations(self.pair, case)

    def _check_repetition(self, case: Case) -> Iterator[Finding]:
        feeds = self.pair.cases.feeds(case)
        try:
            first, again = self.pair.run("actual", feeds), self.pair.run("actual", feeds)
        except RunError:  # the outcome of this case reports it
            return
        for name in find_differing_outputs(first, again, self.pair.tolerances):
            message = "it differs between two runs on the same inputs."
            yield Finding("nondeterministic", "error", name, message, (case.name,))

    def save_failing(self, folder: str | os.PathLike[str], artifact: str, engine: str | None) -> tuple[str, ...]:
        """Shrink and save the first failing case of each kind of failure; return the folders."""
        saved: dict[tuple[str, ...], str] = {}
        for outcome in self.outcomes:
            kind = tuple(made.output for made in outcome.comparisons if not made.ok) or (outcome.reason[:60],)
            if outcome.status != "failed" or kind in saved or self.pair.reference is None:
                continue
            spec = self.pair.cases.spec
            case = shrink_case(spec, outcome.case, lambda case: self.pair.run_case(case).status == "failed")
            expected = self.pair.run("reference", self.pair.cases.feeds(case))
            saved[kind] = str(save_case(folder, self.pair, case, expected, artifact, engine))
        return tuple(saved.values())

    def report(self, actual: str, reference: str | None, failing: tuple[str, ...], began: float) -> Report:
        """Return the report."""
        engines = {"actual": self.pair.actual.engine}
        if self.pair.reference is not None:
            engines["reference"] = self.pair.reference.engine
        return Report(
            actual=actual,
            reference=reference,
            spec=self.pair.cases.spec.sha256,
            seed=self.pair.cases.seed,
            outcomes=tuple(self.outcomes),
            findings=tuple(self.findings),
            tolerances={name: self.pair.tolerances.of(name, dtype, dtype) for name, dtype in self.dtypes.items()},
            inputs=tuple(
                InputRow(path, str(leaf.dtype), f"[{', '.join(map(str, leaf.shape))}]", repr(leaf.values))
                for path, leaf in self.pair.cases.spec.leaves
            ),
            runs=dict(self.pair.runs),
            versions={**engines, **list_versions()},
            failing=failing,
            run=RunRecord(
                date=datetime.now(UTC).isoformat(timespec="seconds"),
                host=platform.node(),
                command=tuple(sys.argv),
                seconds={**self.pair.seconds, "total": time.perf_counter() - began},
                case_seconds=tuple(self.pair.case_seconds[outcome.case.name] for outcome in self.outcomes),
            ),
        )


def _choose_spec(
    actual: Any, reference: Any, spec: InputSpec | None, task: str | None, dims: Mapping[str, Any]
) -> InputSpec:
    """Return the given spec, else the one next to the artifact, else the description of the reference or the artifact."""
    if spec is not None:
        return describe(spec, task, **dims)
    if isinstance(actual, (str, os.PathLike)):
        if not is_present(actual):
            raise SourceError(f"{os.fspath(actual)}: no such file or folder.")
        saved = find_spec_path(actual)
        if saved is not None and task is None:
            return describe(saved, None, **dims)
    return describe(actual if reference is None else reference, task, **dims)


def _target_name(target: Any) -> str:
    return os.fspath(target) if isinstance(target, (str, os.PathLike)) else qualified_name(target)
