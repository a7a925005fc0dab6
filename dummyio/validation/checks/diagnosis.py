"""Findings from the outcomes of all cases: specialized dims, outputs that differ, checks that were skipped."""

import math
from collections.abc import Iterator, Sequence

from dummyio.validation.data.records import Case, Comparison, Finding, Outcome
from dummyio.validation.data.report_data import collect_comparisons


def find_specialized_dims(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield a finding for each dim whose size alone decides whether a case passes: the export has specialized it to a constant."""
    passing = [outcome.case for outcome in outcomes if outcome.status in ("passed", "ran")]
    failing = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not _sizes_decide([outcome.case for outcome in failing], passing):
        failing = [outcome for outcome in failing if _breaks(outcome)]
    blamed: dict[str, list[Outcome]] = {}
    for outcome in failing:
        for name in _suspects(outcome.case, passing):
            blamed.setdefault(name, []).append(outcome)
    for name, wrong in blamed.items():
        good = sorted({case.sizes[name] for case in passing})
        bad = sorted({outcome.case.sizes[name] for outcome in wrong})
        if set(good) & set(bad):  # the same size passes in other cases: the reason is another one
            continue
        if max(good) <= 1 and not any(map(_breaks, wrong)):  # a single element cannot be confused with another
            continue
        only, reason = (
            (" only", "this dim is specialized")
            if len(good) == 1
            else ("", "this dim accepts fewer sizes than in the spec")
        )
        message = f"cases pass at size {_format_list(good)}{only}, and fail at {_format_list(bad)}: {reason}."
        yield Finding("baked", "error", name, message, tuple(outcome.case.name for outcome in wrong))


def _sizes_decide(failing: Sequence[Case], passing: Sequence[Case]) -> bool:
    """Whether each failing case has a size that no passing case has."""
    seen = {name: {case.sizes[name] for case in passing} for case in passing for name in case.sizes}
    return all(any(size not in seen.get(name, ()) for name, size in case.sizes.items()) for case in failing)


def _breaks(outcome: Outcome) -> bool:
    """Whether a case did not run, or returned other shapes; differences of values have other reasons than sizes."""
    return not outcome.comparisons or any("shape" in made.reason for made in outcome.comparisons)


def _suspects(case: Case, passing: Sequence[Case]) -> list[str]:
    """Return the dims that alone distinguish a failing case from a passing one."""
    apart = [
        [name for name, size in case.sizes.items() if other.sizes.get(name) != size]
        for other in passing
        if _changes(other) in ((None, None, "drawn"), _changes(case))
    ]
    single = [names for names in apart if len(names) == 1]
    if single:
        return sorted({names[0] for names in single})
    if not passing or any(not names for names in apart):
        return []
    # No passing case differs in one dim only: the dim is suspect if it is the only one with a size that never passed.
    fresh = [name for name, size in case.sizes.items() if all(other.sizes[name] != size for other in passing)]
    return fresh if len(fresh) == 1 else []


def _changes(case: Case) -> tuple[object, ...]:
    return case.side, case.policy, case.values


def _format_list(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes))


def list_failures(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield a finding for each output that differs, with its worst element, and one for all cases that did not run."""
    wrong: dict[str, list[tuple[Case, Comparison]]] = {}
    for outcome in outcomes:
        for made in outcome.comparisons:
            if not made.ok:
                wrong.setdefault(made.output, []).append((outcome.case, made))
    for name, found in wrong.items():
        case, worst = max(found, key=lambda pair: (pair[1].nonfinite, pair[1].mismatched, pair[1].max_abs))
        cases = tuple(other.name for other, _ in found)
        yield Finding(_difference_kind(worst), "error", name, _describe_difference(case, worst), cases)
    broken = [outcome for outcome in outcomes if outcome.status == "failed" and not outcome.comparisons]
    if broken:
        names = tuple(outcome.case.name for outcome in broken)
        yield Finding("run", "error", "artifact", f"it does not run: {broken[0].reason}", names)


def _difference_kind(made: Comparison) -> str:
    if "shape" in made.reason:
        return "shape"
    return "nonfinite" if made.nonfinite else "values"


def _describe_difference(case: Case, made: Comparison) -> str:
    worst = "" if made.worst is None else f"; {made.worst}"
    return f"{made.reason} ({made.mismatched:.1%} of {list(made.shape)}) in the case {case.name!r}{worst}."


def list_skipped_checks(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield the reasons why the validation proves less: skipped cases, outputs that were always empty."""
    skipped = [outcome for outcome in outcomes if outcome.status == "skipped"]
    if skipped:
        message = f"{len(skipped)} of {len(outcomes)} were not compared: {skipped[0].reason}"
        yield Finding("skipped", "warning", "cases", message, tuple(outcome.case.name for outcome in skipped))
    for name, made in collect_comparisons(outcomes).items():
        if not any(math.prod(one.shape) for one in made):
            yield Finding("vacuous", "warning", name, "it is empty in each case: nothing was compared.")
