"""All value rules as one type: their canonical form, and the mask or expression that a rule refers to."""

from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Any

import msgspec
import numpy as np

from dummyio.errors import SpecError
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, substitute_dims
from dummyio.spec.plain_values import show_value
from dummyio.spec.values.base_rule import ValueRule
from dummyio.spec.values.bounded import Columns, Indices, Lengths
from dummyio.spec.values.elementwise import Choices, Constant, Normal, Strings, Uniform
from dummyio.spec.values.positional import Boxes, Grid, OneHot, Range, Rows
from dummyio.spec.values.tokens import Labels, PaddingMask, Positions, TokenIds

Rule = (
    Uniform
    | Normal
    | Constant
    | Range
    | Positions
    | Grid
    | PaddingMask
    | TokenIds
    | Labels
    | Choices
    | OneHot
    | Rows
    | Boxes
    | Strings
    | Lengths
    | Indices
    | Columns
)

_fields_of = cache(msgspec.structs.fields)
_MAX_INT = 1 << 64
"""Whole numbers up to this one are written as ints, larger ones as floats."""


def canonicalize_rule(rule: Rule) -> Rule:
    """Return `rule` with every field in its canonical form, so that equal rules are written alike.

    Lists become tuples, NumPy numbers Python numbers, and whole numbers ints; a field of another type is a `SpecError`.
    """
    if not isinstance(rule, ValueRule):
        raise SpecError(f"values={show_value(rule)} is not a rule: use one of dummyio.values, such as Uniform(0, 1).")
    try:
        return _canonicalize_fields(rule)  # equal rules have the same canonical form
    except TypeError:  # a field that is a list
        return _canonicalize_fields.__wrapped__(rule)


@lru_cache(maxsize=1024)
def _canonicalize_fields(rule: Rule) -> Rule:
    try:
        plain = {
            name: _canonicalize_number(value) for name, value in msgspec.to_builtins(rule, enc_hook=_to_builtin).items()
        }
        checked = msgspec.convert(plain, type(rule))
    except (msgspec.ValidationError, OverflowError, TypeError, RecursionError, UnicodeError) as error:
        raise SpecError(f"{show_value(rule)}: {error}") from None
    fields: dict[str, Any] = {}
    for field in _fields_of(type(rule)):
        value = _bools_to_ints(getattr(checked, field.name))
        # A file leaves out only the default object itself, not another value that is equal to it.
        fields[field.name] = field.default if value == field.default else value
    return type(rule)(**fields)


def _to_builtin(value: Any) -> Any:
    """Return a number or string of another class as Python's."""
    if isinstance(value, np.generic):
        return value.item()
    for base in (int, float, str):
        if isinstance(value, base):
            return base(value)
    raise TypeError(f"{show_value(value)} is neither a number nor a string.")


def _canonicalize_number(value: Any) -> Any:
    """Return whole numbers as ints, up to `_MAX_INT`, and other numbers as floats, if there is an equal float."""
    if isinstance(value, list | tuple):
        return tuple(_canonicalize_number(item) for item in value)
    if isinstance(value, dict):  # a part of a rule, such as a run of ids
        return {key: _canonicalize_number(item) for key, item in value.items()}
    if isinstance(value, float):
        return int(value) if value.is_integer() and abs(value) <= _MAX_INT else value
    if isinstance(value, int) and abs(value) > _MAX_INT and float(value) == value:
        return float(value)
    return value


def _bools_to_ints(value: Any) -> Any:
    if isinstance(value, tuple):
        return tuple(_bools_to_ints(item) for item in value)
    return int(value) if isinstance(value, bool) else value


def get_padding_value(rule: Rule) -> int:
    """Return the value that a mask rule holds at masked positions; 0 unless the rule sets another."""
    return rule.pad if isinstance(rule, PaddingMask) else 0


def get_mask_path(rule: Rule) -> str | None:
    """Return the path of the mask that `rule` follows; None if it follows none."""
    return rule.mask if isinstance(rule, (Positions, TokenIds, Labels, Lengths)) else None


def get_rule_expression(rule: Rule) -> str | None:
    """Return the expression of dims that `rule` refers to; None if it refers to none."""
    field = _find_expression_field(rule)
    expression = None if field is None else getattr(rule, field)
    return expression if isinstance(expression, str) else None


def _find_expression_field(rule: Rule) -> str | None:
    """Return the field of `rule` that may be an expression of dims."""
    match rule:
        case Positions():
            return "start"
        case Grid():
            return "columns"
        case Lengths() | Indices():
            return "size"
        case _:
            return None


def substitute_rule_dims(rule: Rule, dims: Mapping[str, Dim], new: Mapping[str, Dim | int]) -> Rule:
    """Return `rule`, whose expression uses `dims`, with those that `new` has replaced by its dims and numbers."""
    expression = get_rule_expression(rule)
    if expression is None:
        return rule
    size = substitute_dims(parse_size(expression, dims), new)
    return replace_rule_expression(rule, size if isinstance(size, int) else str(size))


def replace_rule_expression(rule: Rule, value: int | str) -> Rule:
    """Return `rule` with `value`, a number or an expression of dims, in place of its expression of dims."""
    field = _find_expression_field(rule)
    assert field is not None, rule
    return msgspec.structs.replace(rule, **{field: value})
