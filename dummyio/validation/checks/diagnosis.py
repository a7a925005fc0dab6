"""From outcomes to findings: which symbol was baked in, which output is off, what shows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from dummyio.validation.data.records import Case, Comparison, Finding, Outcome

__all__ = ["find_specialized_dims", "list_failures", "list_skipped_checks"]


def find_specialized_dims(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield a finding for each symbol whose size decides whether a case passes: cases that differ in it alone show it."""
    passing = [outcome.case for outcome in outcomes if outcome.status == "passed"]
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
        if set(good) & set(bad):  # the same size is right elsewhere: it is something else in these cases
            continue
        if max(good) <= 1 and not any(map(_breaks, wrong)):  # one element has no other that it could be mixed up with
            continue
        message = f"it is right at {_listed(good)}, and wrong at {_listed(bad)}: the artifact takes fewer sizes than the spec says."
        if len(good) == 1:
            message = f"it is right at {good[0]} only, and wrong at {_listed(bad)}: the artifact keeps a size that should be free."
        yield Finding("baked", "error", name, message, tuple(outcome.case.name for outcome in wrong))


def _sizes_decide(failing: Sequence[Case], passing: Sequence[Case]) -> bool:
    """Whether every failing case has some size that no passing one has."""
    seen = {name: {case.sizes[name] for case in passing} for case in passing for name in case.sizes}
    return all(any(size not in seen.get(name, ()) for name, size in case.sizes.items()) for case in failing)


def _breaks(outcome: Outcome) -> bool:
    """Whether a case did not run, or returned other shapes: values that are off have other reasons than sizes."""
    return not outcome.comparisons or any("shape" in made.reason for made in outcome.comparisons)


def _suspects(case: Case, passing: Sequence[Case]) -> list[str]:
    """Return the symbols that alone tell a failing case from the passing one that is nearest to it."""
    apart = [
        [name for name, size in case.sizes.items() if other.sizes.get(name) != size]
        for other in passing
        if (other.side, other.policy, other.values) == (None, None, "drawn") or _masks(other) == _masks(case)
    ]
    single = [names for names in apart if len(names) == 1]
    if single:
        return sorted({names[0] for names in single})
    if not passing or any(not names for names in apart):
        return []
    # None is that near: what no passing case ever had is suspect, where it is one symbol only.
    fresh = [name for name, size in case.sizes.items() if all(other.sizes[name] != size for other in passing)]
    return fresh if len(fresh) == 1 else []


def _masks(case: Case) -> tuple[object, ...]:
    return case.side, case.policy, case.values


def _listed(sizes: Sequence[int]) -> str:
    return ", ".join(map(str, sizes)) or "none"


def list_failures(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield a finding for each output that is off, with its worst place, and one for all cases that did not run."""
    wrong: dict[str, list[tuple[Case, Comparison]]] = {}
    for outcome in outcomes:
        for made in outcome.comparisons:
            if not made.ok:
                wrong.setdefault(made.output, []).append((outcome.case, made))
    for name, found in wrong.items():
        case, worst = max(found, key=lambda pair: (pair[1].nonfinite, pair[1].mismatched, pair[1].max_abs))
        yield Finding(_kind(worst), "error", name, _sentence(case, worst), tuple(other.name for other, _ in found))
    broken = [outcome for outcome in outcomes if outcome.status == "failed" and not outcome.comparisons]
    if broken:
        names = tuple(outcome.case.name for outcome in broken)
        yield Finding("run", "error", "artifact", f"it does not run: {broken[0].reason}", names)


def _kind(made: Comparison) -> str:
    if "shape" in made.reason:
        return "shape"
    return "nonfinite" if made.nonfinite else "values"


def _sentence(case: Case, made: Comparison) -> str:
    text = f"{made.reason} ({made.mismatched:.1%} of {list(made.shape)}) in the case {case.name!r}"
    if made.worst is not None:
        at = f"at {list(made.worst.index)} the reference has {made.worst.reference}, the artifact {made.worst.actual}"
        text += f"; {at}"
    return f"{text}."


def list_skipped_checks(outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Yield what keeps the validation from showing more: cases left out, outputs that were always empty."""
    out = [outcome for outcome in outcomes if outcome.status == "skipped"]
    if out:
        reason = out[0].reason
        names = tuple(outcome.case.name for outcome in out)
        yield Finding(
            "skipped", "warning", "cases", f"{len(out)} of {len(outcomes)} were not compared: {reason}", names
        )
    sizes: dict[str, int] = {}
    for outcome in outcomes:
        for made in outcome.comparisons:
            elements = 1
            for size in made.shape:
                elements *= size
            sizes[made.output] = max(sizes.get(made.output, 0), elements)
    for name, most in sizes.items():
        if most == 0:
            yield Finding("vacuous", "warning", name, "it is empty in every case: nothing was compared.")
