"""Reads a size from text, as `str` writes it: names of dims, whole numbers, ``+ - * //`` and parentheses."""

import ast
import operator
import re
from collections.abc import Mapping
from typing import Any

from dummyio.errors import DimError, suggest_names
from dummyio.spec.dims import MAX_CHARACTERS, MAX_INT, Dim, Size
from dummyio.spec.plain_values import show_value

_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


_SYMBOL = re.compile(r"\w+|//|\S")
_MAX_SYMBOLS = 2048


def parse_size(text: str, dims: Mapping[str, Dim]) -> Size:
    """Return the size that `text` states, with the dims of `dims`; nothing is executed. Raises `DimError` if it is invalid."""
    if len(text) > MAX_CHARACTERS:
        raise DimError(f"a dimension of {len(text)} characters exceeds the limit of {MAX_CHARACTERS}.")
    symbols = len(_SYMBOL.findall(text))
    if symbols > _MAX_SYMBOLS:  # before Python reads it, whose parser is recursive
        raise DimError(
            f"dimension {show_value(text)}: {symbols} names, numbers and operators; the limit is {_MAX_SYMBOLS}."
        )
    try:
        return _parse_node(ast.parse(text.strip(), mode="eval").body, text, dims)
    except DimError:
        raise
    except ZeroDivisionError:
        raise DimError(f"dimension {show_value(text)}: a size cannot be divided by zero.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise DimError(f"dimension {show_value(text)}: write names, whole numbers, + - * // and parentheses.") from None


def _parse_node(node: ast.expr, text: str, dims: Mapping[str, Dim]) -> Size:
    match node:
        case ast.Name(name):
            if name not in dims:
                raise DimError(
                    f"dimension {show_value(text)}: no dim is named {show_value(name)}. {suggest_names(name, dims)}"
                )
            return dims[name]
        case ast.Constant(value) if type(value) is int:
            if value > MAX_INT:
                raise DimError(f"dimension {show_value(text)}: a number must be below 2^63.")
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return 0 - _parse_node(operand, text, dims)
        case ast.BinOp(left, kind, right) if type(kind) in _OPERATORS:
            size: Size = _OPERATORS[type(kind)](_parse_node(left, text, dims), _parse_node(right, text, dims))
            return size
        case _:
            raise DimError(f"dimension {show_value(text)}: write names, whole numbers, + - * // and parentheses only.")
