"""Rewrites comprehensions: ``[f(x[i]) for i in range(n)]`` → ``symbolic_map(symbolic_range(n), lambda i: f(symbolic_getitem(x, i)))``."""

import ast

from dummyio_torch.symbolic.compiler.ast_builders import build_call
from dummyio_torch.symbolic.compiler.iteration_body import rewrite_iteration_body
from dummyio_torch.symbolic.compiler.loop_analysis import may_be_tensor, read_loop_header


class Comprehensions(ast.NodeTransformer):
    """Rewrites list comprehensions with one tensor per item, and counts them."""

    def __init__(self) -> None:
        self.found = 0

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        """``[f(row) for row in rows]``."""
        self.generic_visit(node)
        (first, *others) = node.generators
        head = read_loop_header(first)
        if head is None or others or first.ifs or first.is_async or not may_be_tensor(node.elt):
            return node
        if any(isinstance(inner, (ast.NamedExpr, ast.Await)) for inner in ast.walk(node)):
            return node
        self.found += 1
        arguments = [ast.arg(name) for name in head.names]
        joins = _flattens(node.elt, head.names[0])
        body = ast.Lambda(
            ast.arguments([], arguments, None, [], [], None, []), rewrite_iteration_body(node.elt, head.names)
        )
        made = build_call("symbolic_map", [build_call(head.kind, head.items), body])
        if joins:
            made.keywords.append(ast.keyword("joins", ast.Constant(value=True)))
        return ast.copy_location(made, node)


def _flattens(value: ast.expr, item: str) -> bool:
    """Whether an expression is ``item.reshape(-1, item.shape[-1])``, which gives the same result on concatenated items."""
    match value:
        case ast.Call(
            ast.Attribute(ast.Name(name), "reshape" | "view"),
            [
                ast.UnaryOp(ast.USub(), ast.Constant(1)),
                ast.Subscript(ast.Attribute(ast.Name(other), "shape"), ast.UnaryOp(ast.USub(), ast.Constant(1))),
            ],
            [],
        ):
            return name == other == item
        case _:
            return False
