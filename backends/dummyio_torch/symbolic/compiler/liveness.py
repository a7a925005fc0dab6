"""Which names a piece of code reads before it assigns them."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence

__all__ = ["live_before", "loaded", "stored"]

Names = frozenset[str]


def loaded(node: ast.AST | Iterable[ast.AST]) -> Names:
    """Return the names that a piece of code reads anywhere, functions in it included."""
    return frozenset(name.id for name in _names(node) if not isinstance(name.ctx, ast.Store))


def stored(node: ast.AST | Iterable[ast.AST]) -> Names:
    """Return the names that a piece of code assigns anywhere."""
    return frozenset(name.id for name in _names(node) if isinstance(name.ctx, ast.Store))


def live_before(statements: Sequence[ast.stmt], after: Names) -> Names:
    """Return the names whose values matter before `statements`, where those of `after` matter behind them."""
    live = after
    for statement in reversed(statements):
        live = _before(statement, live)
    return live


def _before(statement: ast.stmt, after: Names) -> Names:
    if isinstance(statement, ast.If):
        branches = live_before(statement.body, after) | live_before(statement.orelse, after)
        return loaded(statement.test) | branches
    if isinstance(statement, (ast.For, ast.While)):
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        target = stored(statement.target) if isinstance(statement, ast.For) else frozenset[str]()
        inside = live_before(statement.body, after) - target
        return loaded(head) | inside | live_before(statement.orelse, after) | after
    if isinstance(statement, (ast.Return, ast.Raise)):
        return loaded(statement)
    if isinstance(statement, ast.Assign):
        # ``x[0] = y`` reads x; ``x = y`` ends what was in it.
        return (after - stored(statement.targets)) | loaded(statement)
    if isinstance(statement, ast.AnnAssign):
        ended = stored(statement.target) if statement.value is not None else frozenset[str]()
        return (after - ended) | loaded(statement)
    if isinstance(statement, ast.AugAssign):
        return after | loaded(statement) | stored(statement.target)
    return after | loaded(statement)  # anything else may be left half-way


def _names(node: ast.AST | Iterable[ast.AST]) -> Iterable[ast.Name]:
    for part in (node,) if isinstance(node, ast.AST) else node:
        yield from (inner for inner in ast.walk(part) if isinstance(inner, ast.Name))
