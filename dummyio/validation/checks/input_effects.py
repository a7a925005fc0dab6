"""Compares what each input changes: an artifact that ignores one may be within a wide tolerance of its reference.

An input that never varies, or that changes no result of the reference, proves nothing, and that is said too.
"""

from collections.abc import Iterator, Mapping

import numpy as np

from dummyio.errors import DummyioError
from dummyio.sources.proof.effects import NEVER_VARIES, NO_EFFECT, iterate_changes
from dummyio.typing import Array
from dummyio.validation.comparing.metrics import compare_arrays
from dummyio.validation.comparing.model_pair import Pair, Side
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.validation.data.records import Case, Finding

_WIDE = 1e-3
"""A tolerance above this part of an output's scale may cover an input without effect."""
_SEEN = 0.1
"""A change of the reference above this part of the tolerance has to be seen in the artifact."""
_MEASURED, _FEW, _LEAST_GAIN = 0.1, 64, 0.25
"""If the reference changes by more than this part of the tolerance, in at least so many elements, the artifact has to change by this part
of it, in its direction: rounding to 8 bits is noise in other directions."""


def check_input_effects(pair: Pair, case: Case) -> Iterator[Finding]:
    """Yield a finding for each input that has an effect in the reference alone, and for each that proves nothing."""
    spec = pair.cases.spec
    wide = _is_wide(pair.tolerances)
    if spec.proof.level == "values" and pair.reference is not None and not wide:
        yield from (_build_vacuous(name, reason) for name, reason in spec.proof.ineffective.items() if name in spec)
        return
    try:
        yield from _compare_effects(pair, case, compares=wide and pair.reference is not None)
    except DummyioError:  # the cases report what does not run
        return


def _build_vacuous(name: str, reason: str) -> Finding:
    return Finding("vacuous", "warning", name, f"{reason}: agreement does not show that it is used.")


def _is_wide(tolerances: Tolerances) -> bool:
    derived = tolerances.of("", np.dtype(np.float32), np.dtype(np.float32))
    return derived.given or derived.of_scale > _WIDE


def _compare_effects(pair: Pair, case: Case, *, compares: bool) -> Iterator[Finding]:
    def make(sample: int) -> dict[str, Array]:
        return (
            pair.cases.feeds(case)
            if sample == 0
            else pair.cases.spec.feeds(seed=case.seed, sample=sample, **case.sizes)
        )

    first = make(0)
    known: Side = "reference" if pair.reference is not None else "actual"
    before = pair.run(known, first)
    found = pair.run("actual", first) if compares else {}
    for name, changed in iterate_changes(pair.cases.spec, make):
        if changed is None:
            yield _build_vacuous(name, NEVER_VARIES)
            continue
        feeds = {**first, **changed}
        after = pair.run(known, feeds)
        if before.keys() == after.keys() and all(
            np.array_equal(before[each], after[each], equal_nan=_is_number(after[each])) for each in after
        ):
            yield _build_vacuous(name, NO_EFFECT)
        elif compares:
            yield from _compare(pair, case, name, (before, after), (found, pair.run("actual", feeds)))


def _is_number(values: Array) -> bool:
    return values.dtype.kind in "fc"


def _compare(
    pair: Pair,
    case: Case,
    name: str,
    expected: tuple[Mapping[str, Array], Mapping[str, Array]],
    found: tuple[Mapping[str, Array], Mapping[str, Array]],
) -> Iterator[Finding]:
    """Yield a finding if outputs of the reference change with an input, and those of the artifact do not, or in another direction."""
    pairs = [
        (ours, theirs)
        for ours, theirs in pair.match_names(list(expected[0]), list(found[0]))
        if ours in expected[1] and theirs in found[1]  # a list of results may have another length
    ]
    lost = [
        text
        for ours, theirs in pairs
        if (text := _find_loss(pair, ours, [e[ours] for e in expected], [f[theirs] for f in found]))
    ]
    changed = [ours for ours, _ in pairs if not np.array_equal(expected[0][ours], expected[1][ours])]
    if lost and len(lost) == len(changed):
        yield Finding("effect", "error", name, f"other values of it change {'; '.join(lost)}.", (case.name,))


def _find_loss(pair: Pair, name: str, expected: list[Array], found: list[Array]) -> str:
    """Return how an output changes on both sides if the artifact loses the change; an empty text if it does not, or that cannot be seen."""
    (before, after), (old, new) = expected, found
    made = compare_arrays(name, before, after, pair.tolerances.of(name, before.dtype, old.dtype))
    if before.shape != after.shape or old.shape != new.shape or old.shape != before.shape:
        return ""
    said = f"{name} by up to {made.max_abs:.1e} in the reference and by {{:.1e}} in the artifact"
    if not _is_number(before):
        return said.format(0) if made.mismatched > 0 and np.array_equal(old, new) else ""
    wanted, actual = (_subtract(*each) for each in ((after, before), (new, old)))
    if made.max_abs > _SEEN * made.bound and not actual.any():
        return said.format(0)
    strong = wanted.size >= _FEW and float(np.sqrt(np.mean(np.abs(wanted) ** 2))) > _MEASURED * made.bound
    gain = float(np.real(np.vdot(wanted, actual)) / np.real(np.vdot(wanted, wanted))) if strong else 1.0
    return said.format(float(np.abs(actual).max())) if gain < _LEAST_GAIN else ""


def _subtract(after: Array, before: Array) -> Array:
    wide = [
        np.asarray(values, np.complex128 if values.dtype.kind == "c" else np.float64).reshape(-1)
        for values in (after, before)
    ]
    finite = np.isfinite(wide[0]) & np.isfinite(wide[1])
    return np.where(finite, wide[0] - np.where(finite, wide[1], 0), 0)
