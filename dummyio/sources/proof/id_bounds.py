"""The numbers that ids of a spec stay below."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import msgspec

from dummyio.errors import SpecError
from dummyio.input_spec import InputSpec
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Rule, TokenIds, Uniform


def get_high(rule: Rule) -> int | None:
    """Return the number that all ids of a rule stay below; None for a rule of other values."""
    if isinstance(rule, TokenIds):
        ids = (rule.pad, rule.first, rule.last, *(run.id for run in rule.runs))
        return max(rule.high, *(each + 1 for each in ids if each is not None))
    return int(rule.high) if isinstance(rule, Uniform) and float(rule.high).is_integer() else None


def lower_ids(spec: InputSpec, bounds: Mapping[str, int]) -> InputSpec:
    """Return a spec whose ids stay below these numbers; placeholders above one do not index that table, and stay."""

    def lower(path: str, leaf: TensorSpec) -> TensorSpec:
        high = bounds.get(path)
        old = get_high(leaf.values)
        return leaf if high is None or old is None or old <= high else leaf.replace(values=_lower(leaf.values, high))

    return map_leaves(spec, lower)


def _lower(rule: Rule, high: int) -> Rule:
    if isinstance(rule, TokenIds):
        changes = {name: high - 1 for name in ("first", "last") if (getattr(rule, name) or 0) >= high}
        pad = rule.pad if rule.pad < high else 0
        low = min(rule.low, high - 1)
        return msgspec.structs.replace(rule, high=min(rule.high, high), low=low, pad=pad, **changes)
    assert isinstance(rule, Uniform)
    return msgspec.structs.replace(rule, high=high)


def use_largest_ids(spec: InputSpec, only: str | None = None) -> InputSpec:
    """Return a spec whose ids are all the largest that it declares, where a table is found only by running into its end.

    Parameters
    ----------
    spec
        The spec.
    only
        The one input that has its largest ids: all others have their smallest. Without it, all have their largest.
    """

    def use(path: str, leaf: TensorSpec) -> TensorSpec:
        rule, largest = leaf.values, only in (None, path)
        if isinstance(rule, TokenIds):
            chosen = _find_allowed(rule, largest=largest)
            return leaf.replace(values=msgspec.structs.replace(rule, low=chosen, high=chosen + 1))
        if isinstance(rule, Uniform) and leaf.dtype.kind in ("int", "uint") and rule.high - rule.low > 1:
            changed = {"low": rule.high - 1} if largest else {"high": rule.low + 1}
            return leaf.replace(values=msgspec.structs.replace(rule, **changed))
        return leaf

    return map_leaves(spec, use)


def use_smallest_ids(spec: InputSpec) -> InputSpec:
    """Return a spec whose ids are all the smallest that it declares."""
    return use_largest_ids(spec, only="")


def halve_ids(spec: InputSpec, bounds: Mapping[str, int] | None = None) -> Iterator[InputSpec]:
    """Yield the spec with smaller and smaller ids: of the inputs with a bound, from it on, or of all."""
    highs = dict(bounds) if bounds is not None else _find_highs(spec)
    while max(highs.values(), default=1) > 1:
        highs = {path: max(high // 2, 1) for path, high in highs.items()}
        try:
            lower = lower_ids(spec, highs)
        except SpecError:  # every id that is left is reserved
            return
        if lower != spec:
            yield lower


def _find_highs(spec: InputSpec) -> dict[str, int]:
    whole = [(path, get_high(leaf.values)) for path, leaf in spec.leaves if leaf.dtype.kind in ("int", "uint")]
    return {path: high for path, high in whole if high is not None}


def _find_allowed(rule: TokenIds, *, largest: bool) -> int:
    reserved = set(rule.reserved)
    ids = range(rule.high - 1, rule.low - 1, -1) if largest else range(rule.low, rule.high)
    return next(each for each in ids if each not in reserved)
