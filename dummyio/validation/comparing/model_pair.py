"""The reference and the actual one side by side: runs both on one case, times them, and compares what they return."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import msgspec
import numpy as np

from dummyio.errors import DummyioError, RunError
from dummyio.running.runner import Runner
from dummyio.typing import Array
from dummyio.validation.comparing.cases import Cases, row_axes
from dummyio.validation.comparing.metrics import compare
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Case, Comparison, Outcome

__all__ = ["Match", "Pair"]

Match = Literal["name", "position"]

_AGAIN = 8
"""An output that is off by less than as many times its tolerance is measured once more against double precision."""


@dataclass
class Pair:
    """What is compared, and how."""

    cases: Cases
    actual: Runner
    reference: Runner | None
    tolerances: Tolerances
    match: Match = "name"
    seconds: dict[str, float] = field(default_factory=lambda: {"reference": 0.0, "actual": 0.0})
    """Seconds spent in the runs alone."""
    runs: dict[str, int] = field(default_factory=lambda: {"reference": 0, "actual": 0})

    def run(self, which: Literal["reference", "actual"], feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Return the outputs of one of the two; RunError as a runner's."""
        runner = self.actual if which == "actual" else self.reference
        if runner is None:
            raise RunError("there is no reference to run.")
        start = time.perf_counter()
        try:
            return runner(feeds)
        finally:
            self.seconds[which] += time.perf_counter() - start
            self.runs[which] += 1

    def outcome(self, case: Case, seen: Callable[[str, dict[str, Array]], None] | None = None) -> Outcome:
        """Run one case on both, and compare; `seen` is shown what either returned, and must keep none of it."""
        try:
            feeds = self.cases.feeds(case)
        except DummyioError as error:
            return Outcome(case, "skipped", reason=f"its inputs cannot be made: {error}")
        before = dict(self.seconds)
        expected = self._expected(case, feeds, seen)
        if isinstance(expected, Outcome):
            return expected
        try:
            found = self.run("actual", feeds)
        except RunError as error:
            return self._timed(Outcome(case, "failed", reason=str(error)), before)
        if seen is not None:
            seen("actual", found)
        if expected is None:
            return self._timed(Outcome(case, "passed"), before)
        comparisons = tuple(self._compared(case, expected, found))
        failed = any(not comparison.ok for comparison in comparisons)
        return self._timed(Outcome(case, "failed" if failed else "passed", comparisons), before)

    def _expected(
        self, case: Case, feeds: Mapping[str, Array], seen: Callable[[str, dict[str, Array]], None] | None
    ) -> dict[str, Array] | Outcome | None:
        if self.reference is None:
            return None
        try:
            expected = self.run("reference", feeds)
        except RunError as error:
            return Outcome(case, "skipped", reason=f"the reference itself refuses: {error}")
        if seen is not None:
            seen("reference", expected)
        return expected

    def _timed(self, outcome: Outcome, before: Mapping[str, float]) -> Outcome:
        took = {f"{name}_seconds": self.seconds[name] - before[name] for name in before}
        return msgspec.structs.replace(outcome, **took)

    def _compared(self, case: Case, expected: dict[str, Array], found: dict[str, Array]) -> list[Comparison]:
        """Compare the outputs that both have, letting go of each as soon as it is done."""
        pairs = self.matched(list(expected), list(found))
        rows = row_axes(self.cases.spec, case.sizes, expected) if case.values == "hidden_row" else None
        made = []
        for name, other in pairs:
            ours, theirs = expected.pop(name), found.pop(other)
            if rows is not None and ours.shape == theirs.shape:
                theirs = _without_padding(ours, theirs, rows.get(name))
            made.append(self.compare(name, ours, theirs))
        return made

    def is_close(self, outcome: Outcome) -> bool:
        """Whether an outcome failed by so little that rounding may be the reason."""
        wrong = [made for made in outcome.comparisons if not made.ok]
        return bool(wrong) and all(
            made.worst is not None
            and not made.nonfinite
            and made.max_abs <= _AGAIN * made.bound
            and not self.tolerances.of(made.output, np.dtype(made.dtype), np.dtype(made.dtype)).given
            for made in wrong
        )

    def matched(self, expected: list[str], found: list[str]) -> list[tuple[str, str]]:
        """Return the names of the outputs that are compared with each other."""
        if self.match == "position":
            return list(zip(expected, found, strict=False))
        return [(name, name) for name in expected if name in found]

    def compare(self, name: str, expected: Array, found: Array) -> Comparison:
        """Compare one output, within its tolerance."""
        expected, found = np.asarray(expected), np.asarray(found)
        return compare(name, expected, found, self.tolerances.of(name, expected.dtype, found.dtype))


def _without_padding(expected: Array, found: Array, axis: int | None) -> Array:
    """Return `found` with what is finite in both taken from `expected`, in the last row, or in all where rows are unknown.

    What a row of nothing but padding holds means nothing, and kernels differ there (a softmax over no element); that
    it is not a number where the reference has one does mean something, for it spreads.
    """
    if expected.dtype.kind not in "fc" or found.dtype != expected.dtype:
        return found
    place: list[slice] = [slice(None)] * found.ndim
    if axis is not None:
        place[axis] = slice(-1, None)
    last = tuple(place)
    mended = found.copy()
    both = np.isfinite(expected[last]) & np.isfinite(found[last])
    mended[last] = np.where(both, expected[last], found[last])
    return mended
