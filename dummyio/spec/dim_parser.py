"""Reads a size from text, as `str` writes it: names of dims, whole numbers, ``+ - * //`` and parentheses."""

import ast
import operator
from collections.abc import Mapping
from typing import Any

from dummyio.errors import DimError, suggest_names
from dummyio.spec.dims import MAX_CHARACTERS, Dim, Size

_OPERATORS: dict[type[ast.operator], Any] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: operator.floordiv,
}


def parse_size(text: str, dims: Mapping[str, Dim]) -> Size:
    """Return the size that `text` states, with the dims of `dims`; nothing is executed. Raises `DimError` if it is invalid."""
    if len(text) > MAX_CHARACTERS:
        raise DimError(f"a dimension of {len(text)} characters exceeds the limit of {MAX_CHARACTERS}.")
    try:
        return _parse_node(ast.parse(text.strip(), mode="eval").body, text, dims)
    except DimError:
        raise
    except ZeroDivisionError:
        raise DimError(f"dimension {text!r}: a size cannot be divided by zero.") from None
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        raise DimError(f"dimension {text!r}: write names, whole numbers, + - * // and parentheses.") from None


def _parse_node(node: ast.expr, text: str, dims: Mapping[str, Dim]) -> Size:
    match node:
        case ast.Name(name):
            if name not in dims:
                raise DimError(f"dimension {text!r}: no dim is named {name!r}. {suggest_names(name, dims)}")
            return dims[name]
        case ast.Constant(value) if type(value) is int:
            return value
        case ast.UnaryOp(ast.USub(), operand):
            return 0 - _parse_node(operand, text, dims)
        case ast.BinOp(left, kind, right) if type(kind) in _OPERATORS:
            size: Size = _OPERATORS[type(kind)](_parse_node(left, text, dims), _parse_node(right, text, dims))
            return size
        case _:
            raise DimError(f"dimension {text!r}: write names, whole numbers, + - * // and parentheses only.")
