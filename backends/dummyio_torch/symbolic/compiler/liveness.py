"""The names that code reads before it assigns them."""

import ast
from collections.abc import Iterable, Sequence

Names = frozenset[str]


def loaded_names(node: ast.AST | Iterable[ast.AST]) -> Names:
    """Return the names that a piece of code reads anywhere, functions in it included."""
    return frozenset(name.id for name in _names(node) if not isinstance(name.ctx, ast.Store))


def stored_names(node: ast.AST | Iterable[ast.AST]) -> Names:
    """Return the names that a piece of code assigns anywhere."""
    return frozenset(name.id for name in _names(node) if isinstance(name.ctx, ast.Store))


def find_live_names(statements: Sequence[ast.stmt], after: Names) -> Names:
    """Return the names whose values are used by `statements`, or after them if they are in `after`."""
    live = after
    for statement in reversed(statements):
        live = _before(statement, live)
    return live


def _before(statement: ast.stmt, after: Names) -> Names:
    if isinstance(statement, ast.If):
        branches = find_live_names(statement.body, after) | find_live_names(statement.orelse, after)
        return loaded_names(statement.test) | branches
    if isinstance(statement, (ast.For, ast.While)):
        head = statement.iter if isinstance(statement, ast.For) else statement.test
        target = stored_names(statement.target) if isinstance(statement, ast.For) else frozenset[str]()
        inside = find_live_names(statement.body, after) - target
        return loaded_names(head) | inside | find_live_names(statement.orelse, after) | after
    if isinstance(statement, (ast.Return, ast.Raise)):
        return loaded_names(statement)
    if isinstance(statement, ast.Assign):
        # ``x[0] = y`` reads x; ``x = y`` ends what was in it.
        return (after - stored_names(statement.targets)) | loaded_names(statement)
    if isinstance(statement, ast.AnnAssign):
        ended = stored_names(statement.target) if statement.value is not None else frozenset[str]()
        return (after - ended) | loaded_names(statement)
    if isinstance(statement, ast.AugAssign):
        return after | loaded_names(statement) | stored_names(statement.target)
    return after | loaded_names(statement)  # any other statement may end early


def _names(node: ast.AST | Iterable[ast.AST]) -> Iterable[ast.Name]:
    for part in (node,) if isinstance(node, ast.AST) else node:
        yield from (inner for inner in ast.walk(part) if isinstance(inner, ast.Name))
