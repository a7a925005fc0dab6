"""Runs reference and artifact on one case, measures the time, and compares their outputs."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from dummyio.errors import DummyioError, RunError
from dummyio.running.runner import Runner
from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio.validation.comparing.case_values import find_padding_masks
from dummyio.validation.comparing.cases import Cases, find_row_axes
from dummyio.validation.comparing.hidden_places import find_hidden_places
from dummyio.validation.comparing.metrics import compare_arrays
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Case, Comparison, Outcome

Match = Literal["name", "position"]
Side = Literal["reference", "actual"]
Observer = Callable[[Side, dict[str, Array]], None]

_CLOSE = 8
"""A difference below this multiple of the tolerance is measured again with the rounding error of that case."""


@dataclass
class Pair:
    """Two models, their cases and tolerances."""

    cases: Cases
    actual: Runner
    reference: Runner | None
    tolerances: Tolerances
    match: Match = "name"
    extra: frozenset[str] = frozenset()
    """The paths that the reference does not take."""
    casts: Mapping[str, DType] = field(default_factory=dict[str, DType])
    """The dtypes that the artifact takes in the place of those of the spec."""
    seconds: dict[str, float] = field(default_factory=lambda: {"reference": 0.0, "actual": 0.0})
    """The time of the runs alone."""
    case_seconds: dict[str, tuple[float, float]] = field(default_factory=dict[str, tuple[float, float]])
    """For each case by its name: the time of the reference, and of the artifact."""
    runs: dict[str, int] = field(default_factory=lambda: {"reference": 0, "actual": 0})

    def run(self, side: Side, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of one side on those of the feeds that it takes; raises `RunError` as its runner."""
        runner = self.actual if side == "actual" else self.reference
        if runner is None:
            raise RunError("this validation has no reference.")
        ports = None if side == "reference" or runner.inputs is None else {port.name for port in runner.inputs}
        taken = feeds.keys() - self.extra if ports is None else feeds.keys() & ports
        feeds = {path: values for path, values in feeds.items() if path in taken}
        if side == "actual":
            feeds |= {path: feeds[path].astype(dtype.numpy) for path, dtype in self.casts.items() if path in feeds}
        start = time.perf_counter()
        try:
            return runner(feeds)
        finally:
            self.seconds[side] += time.perf_counter() - start
            self.runs[side] += 1

    def run_case(self, case: Case, observe: Observer | None = None) -> Outcome:
        """Run both sides on a case and compare; `observe` gets the outputs of each side, and must not keep them."""
        before = dict(self.seconds)
        outcome = self._run_case(case, observe)
        if outcome.status == "failed" and self.reference is not None:
            outcome = self._without_hidden_places(outcome)
        reference, actual = (self.seconds[side] - before[side] for side in ("reference", "actual"))
        self.case_seconds[case.name] = (reference, actual)
        return outcome

    def _run_case(self, case: Case, observe: Observer | None) -> Outcome:
        try:
            feeds = self.cases.feeds(case)
        except DummyioError as error:
            return Outcome(case, "skipped", reason=f"its inputs cannot be generated: {error}")
        expected: dict[str, Array] | None = None
        if self.reference is not None:
            try:
                expected = self.run("reference", feeds)
            except RunError as error:
                return Outcome(case, "skipped", reason=f"the reference does not run: {error}")
            if observe is not None:
                observe("reference", expected)
            if not expected:
                return Outcome(case, "skipped", reason="the reference gives no output.")
        try:
            found = self.run("actual", feeds)
        except RunError as error:
            return Outcome(case, "failed", reason=str(error))
        if observe is not None:
            observe("actual", found)
        if expected is None:
            return Outcome(case, "ran")
        comparisons = tuple(self._compare_outputs(case, expected, found))
        failed = any(not comparison.ok for comparison in comparisons)
        return Outcome(case, "failed" if failed else "passed", comparisons)

    def _without_hidden_places(self, outcome: Outcome) -> Outcome:
        """Return the outcome of a failed case without differences of elements that depend on what masks hide."""
        wrong = {made.output: made for made in outcome.comparisons if not made.ok and not made.nonfinite}
        if not wrong or not find_padding_masks(self.cases.spec):
            return outcome
        feeds = self.cases.feeds(outcome.case)
        try:
            expected, found = self.run("reference", feeds), self.run("actual", feeds)
            places = find_hidden_places(
                self.cases.spec, feeds, expected, wrong, lambda feeds: self.run("reference", feeds)
            )
        except DummyioError:  # an id of their own for what is hidden may be refused: all elements count then
            return outcome
        for name, other in self.match_names(list(expected), list(found)):
            if name in places and found[other].shape == expected[name].shape:
                found[other] = _fill_places(expected[name], found[other], places[name])
        if not places:
            return outcome
        comparisons = tuple(self._compare_outputs(outcome.case, expected, found))
        status = "passed" if all(made.ok for made in comparisons) else "failed"
        return msgspec.structs.replace(outcome, comparisons=comparisons, status=status)

    def _compare_outputs(self, case: Case, expected: dict[str, Array], found: dict[str, Array]) -> list[Comparison]:
        """Compare the outputs that both sides have; each array is released after its comparison."""
        rows = find_row_axes(self.cases.spec, case.sizes, expected) if case.values == "hidden_row" else None
        made = []
        for name, other in self.match_names(list(expected), list(found)):
            ours, theirs = np.asarray(expected.pop(name)), np.asarray(found.pop(other))
            is_alike = ours.shape == theirs.shape and ours.dtype == theirs.dtype and ours.dtype.kind in "fc"
            if rows is not None and is_alike:
                last, unknown = _mark_last_row(ours.shape, rows.get(name)), np.isnan(ours)
                theirs = _fill_places(ours, theirs, last)
                if (unknown & ~last).any():  # NaN of the hidden row spreads to others: it says nothing of what is right
                    theirs = np.where(unknown, ours, theirs)
            if not is_unusual(case):  # a scale for that case alone
                self.tolerances.add_scale(name, ours)
            made.append(compare_arrays(name, ours, theirs, self.tolerances.of(name, ours.dtype, theirs.dtype)))
        return made

    def match_names(self, expected: list[str], found: list[str]) -> list[tuple[str, str]]:
        """Return the pairs of outputs, of the reference and of the artifact, that are compared."""
        if self.match == "position" or len(expected) == len(found) == 1:
            return list(zip(expected, found, strict=False))
        return [(name, name) for name in expected if name in found]

    def is_close(self, outcome: Outcome) -> bool:
        """Whether an outcome failed by so little that rounding may be the reason."""
        wrong = [made for made in outcome.comparisons if not made.ok]
        return bool(wrong) and all(
            made.worst is not None
            and not made.nonfinite
            and made.max_abs <= _CLOSE * made.bound
            and not self.tolerances.of(made.output, np.dtype(made.dtype), np.dtype(made.dtype)).given
            for made in wrong
        )


def is_unusual(case: Case) -> bool:
    """Whether the numbers of a case are of other magnitudes than usual ones: its scale and its rounding error are its own."""
    return case.values in ("magnitudes", "large")


def _fill_places(expected: Array, found: Array, places: Array) -> Array:
    """Return `found` with the elements of `expected` at some places, where both are finite."""
    if expected.dtype.kind in "fc" and found.dtype.kind in "fc":
        places = places & np.isfinite(expected) & np.isfinite(found)
    return np.where(places, expected.astype(found.dtype), found)


def _mark_last_row(shape: tuple[int, ...], axis: int | None) -> Array:
    """Return a mask of the last row along an axis; of all rows if `axis` is None.

    The values of a row that is all padding are arbitrary: kernels differ in a softmax over no element. But NaN that only
    one side has is a difference, since it spreads.
    """
    places = np.full(shape, axis is None)
    if axis is not None:
        np.moveaxis(places, axis, 0)[-1:] = True
    return places
