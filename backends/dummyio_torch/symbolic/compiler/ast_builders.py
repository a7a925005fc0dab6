"""Builders of syntax that all rewrites use."""

import ast
from collections.abc import Sequence

RUNTIME = "_dummyio_runtime"
"""The name of the runtime module in rewritten code."""


def build_call(name: str, arguments: Sequence[ast.expr]) -> ast.Call:
    """Return a call of a runtime function."""
    return ast.Call(ast.Attribute(ast.Name(RUNTIME, ast.Load()), name, ast.Load()), list(arguments), [])


def parse_statement(text: str) -> ast.stmt:
    """Return the statement that a text contains."""
    return ast.parse(text).body[0]


def copy_location(made: ast.stmt, place: ast.stmt) -> ast.stmt:
    """Return `made` with the location of `place`, so that a traceback shows the model's own line."""
    for inner in ast.walk(made):
        if isinstance(inner, (ast.stmt, ast.expr)) and getattr(inner, "lineno", 0) < place.lineno:
            ast.copy_location(inner, place)  # new nodes have no location, or that of their own text
    return ast.fix_missing_locations(ast.copy_location(made, place))
