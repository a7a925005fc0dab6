"""Value rules in words, for people."""

from __future__ import annotations

from dummyio.spec.values import (
    Boxes,
    Choices,
    Constant,
    Grid,
    Labels,
    Normal,
    OneHot,
    PaddingMask,
    Positions,
    Range,
    Rows,
    Rule,
    Strings,
    TokenIds,
    Uniform,
)

__all__ = ["explain_rule"]

_SHOWN = 4


def explain_rule(rule: Rule, pad: int = 0) -> str:
    """Return a rule in a few words; `pad` is what the mask that it follows is where it masks."""
    match rule:
        case Uniform(low, high):
            return f"uniform [{low}, {high})"
        case Normal(mean, std):
            return f"normal, mean {mean}, std {std}"
        case Constant(value):
            return f"always {value!r}"
        case Range(start, step):
            return f"from {start} by {step}"
        case Positions(mask, start):
            return f"positions, following {mask}" if mask else f"positions, from {start}"
        case Grid(columns):
            return f"grid coordinates, {columns} columns"
        case PaddingMask(side, policy):
            text = "mask, no padding" if policy == "full" else f"mask, {policy}, padded {side}"
            return f"{text}, {rule.pad} hides" if rule.pad else text
        case TokenIds():
            return _token_ids(rule, pad)
        case Labels(high, ignore_index, _, mask):
            return f"labels [0, {high})" + (f", {ignore_index} where {mask} is {pad}" if mask else "")
        case Choices(options):
            return f"one of {_listed(options)}"
        case OneHot():
            return "one-hot rows"
        case Rows(values):
            return f"rows {_listed(values)}"
        case Boxes(low, high, layout):
            return f"boxes {layout}, [{low}, {high})"
        case Strings(words, low, high):
            return f"{low} to {high - 1} of {len(words)} words"


def _token_ids(rule: TokenIds, pad: int) -> str:
    text = f"ids [{rule.low}, {rule.high})"
    text += f" without {_listed(rule.gaps)}" if rule.gaps else ""
    text += f", first {rule.first}" if rule.first is not None else ""
    text += f", last {rule.last}" if rule.last is not None else ""
    text += "".join(f", {run.count} x {run.id} at {run.start}" for run in rule.runs)
    return text + (f", {rule.pad} where {rule.mask} is {pad}" if rule.mask else "")


def _listed(options: tuple[object, ...]) -> str:
    shown = ", ".join(map(repr, options[:_SHOWN]))
    return shown + (f" and {len(options) - _SHOWN} more" if len(options) > _SHOWN else "")
