"""Pieces of code that rewritten functions have in common."""

from __future__ import annotations

import ast
from collections.abc import Sequence

__all__ = ["RUNTIME", "call", "copy_location", "statement"]

RUNTIME = "_dummyio_runtime"
"""What the module of functions that rewritten code calls is named in it."""


def call(name: str, arguments: Sequence[ast.expr]) -> ast.Call:
    """Return a call of one of those functions."""
    return ast.Call(ast.Attribute(ast.Name(RUNTIME, ast.Load()), name, ast.Load()), list(arguments), [])


def statement(text: str) -> ast.stmt:
    """Return one statement."""
    return ast.parse(text).body[0]


def copy_location(made: ast.stmt, place: ast.stmt) -> ast.stmt:
    """Return `made` where `place` stands, so that a traceback shows the model's own line."""
    for inner in ast.walk(made):
        if isinstance(inner, (ast.stmt, ast.expr)) and getattr(inner, "lineno", 0) < place.lineno:
            ast.copy_location(inner, place)  # what was made here has no place, or that of its own text
    return ast.fix_missing_locations(ast.copy_location(made, place))
