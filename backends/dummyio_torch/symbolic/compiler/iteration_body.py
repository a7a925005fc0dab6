"""The code of one turn: a function of what goes from turn to turn, whose items are known when it runs."""

from __future__ import annotations

import ast
from collections.abc import Sequence
from typing import Any

from dummyio_torch.symbolic.compiler.ast_builders import call
from dummyio_torch.symbolic.compiler.liveness import loaded

__all__ = ["rewrite_iteration_body"]


def rewrite_iteration_body(code: Any, names: Sequence[str]) -> Any:
    """Return code that writes on nothing, and picks by runtime functions where a turn's own names say what."""
    return _Picks(names).visit(_OutOfPlace().visit(code))


class _OutOfPlace(ast.NodeTransformer):
    """``x += y`` → ``x = x + y``: a scan's body may not write on what it is given."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.target, ast.Name):
            return node
        read = ast.Name(node.target.id, ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)), node)


class _Picks(ast.NodeTransformer):
    """``x[:, i]`` → ``pick(x, Span(None, None, None), i)`` where a turn's own names stand in the key."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or not loaded(node.slice) & self._names:
            return node
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return ast.copy_location(call("symbolic_getitem", [node.value, *map(_as_value, keys)]), node)


def _as_value(key: ast.expr) -> ast.expr:
    if isinstance(key, ast.Slice):
        return call("SymbolicSlice", [part or ast.Constant(None) for part in (key.lower, key.upper, key.step)])
    return call("SymbolicIndex", [key]) if isinstance(key, ast.BinOp) else key
