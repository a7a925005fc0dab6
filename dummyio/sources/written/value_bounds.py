"""Rules of values with a smallest and a largest value that a person sets."""

import math

import msgspec

from dummyio.errors import OptionError
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Choices, Labels, Normal, PaddingMask, Rule, TokenIds, Uniform

Number = int | float


def bound_values(path: str, leaf: TensorSpec, least: Number | None, most: Number | None) -> TensorSpec:
    """Return a tensor whose values are from `least` to `most`; where one of them is None, the rule's own bound stays.

    Parameters
    ----------
    path, leaf
        The input.
    least, most
        The smallest and the largest value, both included.

    Raises
    ------
    OptionError
        if the input has no numbers, no number is left, or its rule has no bound for the end that is not given.
    """
    given = _write_bounds(path, least, most)
    if leaf.dtype.kind not in ("int", "uint", "float") or isinstance(leaf.values, PaddingMask):
        what = "a padding mask" if isinstance(leaf.values, PaddingMask) else str(leaf.dtype)
        raise OptionError(f"{given}: {path} is {what}, which has no bounds. Leave it out.")
    if leaf.dtype.kind != "float" and any(end is not None and end != int(end) for end in (least, most)):
        raise OptionError(f"{given}: {path} is {leaf.dtype}: give whole numbers.")
    return leaf.replace(values=_bound_rule(given, path, leaf.values, leaf.dtype, least, most))


def _bound_rule(given: str, path: str, rule: Rule, dtype: DType, least: Number | None, most: Number | None) -> Rule:
    if isinstance(rule, Choices):
        kept = tuple(
            option for option in rule.options if not isinstance(option, str) and _is_between(option, least, most)
        )
        if kept:
            return Choices(kept)
    low, high = _find_bounds(rule)
    low = low if least is None else least
    high = high if most is None else most if dtype.kind == "float" else int(most) + 1
    if high is None:
        raise OptionError(f"{given}: the values of {path} have no largest one. Give {path}.max too.")
    if most is not None and low == most:
        high = math.nextafter(most, math.inf) if dtype.kind == "float" else high
    if not low < high:
        raise OptionError(f"{given}: the values of {path} begin at {low}, so none is left. Give the other bound too.")
    if isinstance(rule, TokenIds):
        return _bound_ids(given, path, rule, int(low), int(high))
    if isinstance(rule, Labels) and low == 0:
        return msgspec.structs.replace(rule, high=int(high))
    return Uniform(low, high)


def _find_bounds(rule: Rule) -> tuple[Number, Number | None]:
    """Return the smallest value of a rule, and the first one above the largest; None if sizes or other inputs decide it."""
    if isinstance(rule, (Uniform, TokenIds)):
        return rule.low, rule.high
    if isinstance(rule, Labels):
        return 0, rule.high
    if isinstance(rule, Normal):
        return rule.mean - 4 * rule.std, rule.mean + 4 * rule.std
    return 0, None


def _bound_ids(given: str, path: str, rule: TokenIds, low: int, high: int) -> TokenIds:
    fixed = {"first": rule.first, "last": rule.last, **{f"run {run.id}": run.id for run in rule.runs}}
    outside = next((name for name, value in fixed.items() if value is not None and not low <= value < high), None)
    if outside is not None:
        raise OptionError(
            f"{given}: {path} has an id in fixed places ({outside}) that is outside. Choose wider bounds."
        )
    reserved = tuple(value for value in rule.reserved if low <= value < high)
    pad = rule.pad if rule.mask is None else min(max(rule.pad, low), high - 1)
    is_full = len(set(reserved)) >= high - low  # of few ids, the reserved ones must be taken
    return msgspec.structs.replace(rule, low=low, high=high, pad=pad, reserved=() if is_full else reserved)


def _is_between(value: Number, least: Number | None, most: Number | None) -> bool:
    return (least is None or value >= least) and (most is None or value <= most)


def _write_bounds(path: str, least: Number | None, most: Number | None) -> str:
    ends = {f"{path}.min": least, f"{path}.max": most}
    return ", ".join(f"{name}={value}" for name, value in ends.items() if value is not None)
