"""Value rules as short English text."""

from collections.abc import Callable

from dummyio.spec import values

_MAX_SHOWN = 4


def explain_rule(rule: values.Rule, pad: int = 0) -> str:
    """Return a rule in a few words; `pad` is the padding value of the mask that it follows."""
    match rule:
        case values.Uniform(low, high):
            return f"uniform [{low}, {high})"
        case values.Normal(mean, std):
            return f"normal, mean {mean}, std {std}"
        case values.Constant(value):
            return f"always {value!r}"
        case values.Range(start, step):
            return f"from {start} by {step}"
        case values.Positions(mask, start):
            return f"positions, following {mask}" if mask else f"positions, from {start}"
        case values.Grid(columns):
            return f"grid coordinates, {columns} columns"
        case values.PaddingMask(side, policy):
            text = "mask, no padding" if policy == "full" else f"mask, {policy}, padded {side}"
            return f"{text}, {rule.pad} hides" if rule.pad else text
        case values.TokenIds():
            return _explain_token_ids(rule, pad)
        case values.Labels(high, ignore_index, _, mask):
            return f"labels [0, {high})" + (f", {ignore_index} where {mask} is {pad}" if mask else "")
        case values.Choices(options):
            return f"one of {_format_list(options)}"
        case values.OneHot():
            return "one-hot rows"
        case values.Rows(row):
            return f"rows {_format_list(row)}"
        case values.Boxes(low, high, layout):
            return f"boxes {layout}, [{low}, {high})"
        case values.Lengths(size, least, policy, mask):
            return f"lengths of the rows of {mask}" if mask else f"lengths, {policy}, {least} to {size}"
        case values.Indices(size, order):
            return f"indices [0, {size})" + ("" if order == "random" else f", {order}")
        case values.Columns():
            return f"columns {_format_list(tuple(f'[{low}, {high})' for low, high in rule.bounds), str)}"
        case values.Strings(words, low, high):
            return f"{low} to {high - 1} of {len(words)} words"


def _explain_token_ids(rule: values.TokenIds, pad: int) -> str:
    text = f"ids [{rule.low}, {rule.high})"
    text += f" without {_format_list(rule.gaps)}" if rule.gaps else ""
    text += f", first {rule.first}" if rule.first is not None else ""
    text += f", last {rule.last}" if rule.last is not None else ""
    text += "".join(f", {run.count} x {run.id} at {run.start}" for run in rule.runs)
    return text + (f", {rule.pad} where {rule.mask} is {pad}" if rule.mask else "")


def _format_list(options: tuple[object, ...], show: Callable[[object], str] = repr) -> str:
    shown = ", ".join(map(show, options[:_MAX_SHOWN]))
    return shown + (f" and {len(options) - _MAX_SHOWN} more" if len(options) > _MAX_SHOWN else "")
