"""The code of one iteration as a function of the carried values and the items of the iteration."""

import ast
from collections.abc import Sequence
from typing import Any

from dummyio_torch.symbolic.compiler.ast_builders import build_call
from dummyio_torch.symbolic.compiler.liveness import loaded_names


def rewrite_iteration_body(code: Any, names: Sequence[str]) -> Any:
    """Return code that changes nothing in place, and indexes with runtime functions if the key contains a name of the iteration."""
    return _Picks(names).visit(_OutOfPlace().visit(code))


class _OutOfPlace(ast.NodeTransformer):
    """``x += y`` → ``x = x + y``: the body of a scan must not change its inputs."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.target, ast.Name):
            return node
        read = ast.Name(node.target.id, ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)), node)


class _Picks(ast.NodeTransformer):
    """``x[:, i]`` → ``symbolic_getitem(x, SymbolicSlice(None, None, None), i)`` if the key contains a name of the iteration."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or not loaded_names(node.slice) & self._names:
            return node
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return ast.copy_location(build_call("symbolic_getitem", [node.value, *map(_as_value, keys)]), node)


def _as_value(key: ast.expr) -> ast.expr:
    if isinstance(key, ast.Slice):
        return build_call("SymbolicSlice", [part or ast.Constant(None) for part in (key.lower, key.upper, key.step)])
    return build_call("SymbolicIndex", [key]) if isinstance(key, ast.BinOp) else key
