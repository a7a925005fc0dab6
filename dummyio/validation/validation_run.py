"""One validation: runs all cases and checks, and keeps what they find."""

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

from dummyio.errors import RunError
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
from dummyio.validation.comparing.case_values import may_be_large
from dummyio.validation.comparing.cases import propose_sizes
from dummyio.validation.comparing.match_inputs import HALF
from dummyio.validation.comparing.model_pair import Pair, Side, is_unusual
from dummyio.validation.comparing.thresholds import list_left_out
from dummyio.validation.comparing.tolerance import measure_rounding_error
from dummyio.validation.data.environment import list_versions
from dummyio.validation.data.records import Case, Finding, Outcome, RunRecord
from dummyio.validation.data.report_data import InputRow
from dummyio.validation.failing_cases import save_case
from dummyio.validation.report.report import Report
from dummyio.validation.shrink import shrink_case

Progress = Callable[[int, int, str], object]


@dataclass
class ValidationRun:
    """The state of one validation."""

    pair: Pair
    progress: Progress | None
    outcomes: list[Outcome] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    digests: list[Digest] = field(default_factory=list)
    """Samples of the outputs of the first two cases, whose inputs differ."""
    dtypes: dict[str, np.dtype[Any]] = field(default_factory=dict)
    """The outputs of the reference."""
    is_named: bool = False
    """Whether the names and dtypes of the artifact's outputs are checked: in the first case that it runs in."""

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
        inner = getattr(self.pair.reference, "computes_in", None)
        if inner is not None:
            self.pair.tolerances.add_inner_dtype(inner)
        self.pair.tolerances.check_names(first)
        apart = find_differing_outputs(first, again, self.pair.tolerances)
        if apart:
            raise RunError(
                f"the reference is not deterministic: {', '.join(apart)} differ between two runs on the same inputs. "
                f"{_explain_draws(self.pair.reference)}"
            )
        self._measure_rounding(feeds, first)

    def _measure_rounding(self, feeds: Feeds, first: Mapping[str, Array]) -> None:
        """Measure the rounding error of the reference against double precision, or what rounding to the preset's precision changes."""
        preset = self.pair.tolerances.preset
        run = getattr(self.pair.reference, "in_double" if preset is None else "in_precision", None)
        try:
            other = {} if run is None else run(feeds) if preset is None else run(feeds, preset)
        except RunError:  # not all models run in double precision; the reason of the tolerance then states the default
            return
        for name in other.keys() & first.keys():
            self.pair.tolerances.add_rounding_error(name, measure_rounding_error(first[name], other[name]))

    def _measure_step(self, feeds: Feeds, first: Mapping[str, Array]) -> None:
        """Measure what one rounding step of its free real numbers changes in the reference: a part of its rounding error."""
        free = {path for path, leaf in self.pair.cases.spec.leaves if may_be_large(leaf)}
        near = self.pair.run(
            "reference", {path: _add_rounding_step(each) if path in free else each for path, each in feeds.items()}
        )
        for name, values in first.items():
            error = measure_rounding_error(values, near[name])
            self.pair.tolerances.add_rounding_error(name, error, is_whole=False)

    def _run_case(self, case: Case, shapes: DeclaredShapes, number: int) -> Outcome:
        has_reference = self.pair.reference is not None

        def observe(side: Side, outputs: dict[str, Array]) -> None:
            if side == "actual":
                shapes.add_case(case.name, case.sizes, outputs)
                if has_reference and not self.is_named:
                    self.is_named = True
                    self.findings += check_outputs(
                        list(self.dtypes),
                        self.pair.actual,
                        outputs,
                        self.dtypes,
                        is_half=bool(self.pair.casts) or self.pair.tolerances.preset in HALF,
                        by_position=self.pair.match == "position",
                    )
            if number < 2 and side == ("reference" if has_reference else "actual"):
                self.digests.append(sample_outputs(outputs))

        outcome = self.pair.run_case(case, observe)
        if is_unusual(case) and has_reference and any(not made.ok for made in outcome.comparisons):
            return self._judge_alone(case)
        if not self.pair.is_close(outcome):
            return outcome
        return self._judge_again(case)

    def _judge_again(self, case: Case) -> Outcome:
        """Return the outcome of a case after its own rounding error was measured: against double precision, and one step of its inputs."""
        feeds = self.pair.cases.feeds(case)
        first = self.pair.run("reference", feeds)
        self._measure_rounding(feeds, first)
        self._measure_step(feeds, first)
        return self.pair.run_case(case)

    def _judge_alone(self, case: Case) -> Outcome:
        """Return the outcome of a case by its own rounding error, which does not widen the tolerances of others."""
        usual = self.pair.tolerances
        self.pair.tolerances = usual.copy()
        try:
            return self._judge_again(case)
        finally:
            self.pair.tolerances = usual

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


def _add_rounding_step(values: Array) -> Array:
    """Return real numbers each one rounding step further from 0; others as they are."""
    if values.dtype.kind != "f":
        return values
    away: Array = np.nextafter(values, np.copysign(np.array(np.inf, values.dtype), values))
    return away


def _explain_draws(reference: Any) -> str:
    """Return the remedy for a reference that draws random numbers."""
    names = getattr(reference, "random_arguments", ())
    if not names:
        return "Set it to evaluation mode, or fix its seed, and validate again."
    feed = ", ".join(map(repr, names))
    return (
        f"It draws {', '.join(names)} at random, since that is not an input: make it one, describe(model, feed=({feed},)), export with that "
        "spec, and validate again."
    )
