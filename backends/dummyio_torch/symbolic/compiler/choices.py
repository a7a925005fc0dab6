"""Rewrites the use of sizes in a function: ``int()``, ``min()``, ``max()``, ``len()``, and an ``if`` that only chooses a number.

::

    n = int(size / 2)                   n = runtime.symbolic_int(size / 2)
    pad = max(k - s, 0)                 pad = runtime.symbolic_max(k - s, 0)
    if size % s == 0:                   test = runtime.compare_sizes("==", size % s, 0)
        pad = k - s                     if runtime.is_undecided(test):
    else:                                   pad = runtime.select_number(test, k - s, k - size % s)
        pad = k - size % s              elif test: pad = k - s
                                        else: pad = k - size % s
"""

import ast
import copy
from collections.abc import Sequence

from dummyio_torch.symbolic.compiler.ast_builders import build_call, copy_location, parse_statement

_CALLS = {
    "int": "symbolic_int",
    "min": "symbolic_min",
    "max": "symbolic_max",
    "len": "symbolic_len",
    "list": "symbolic_list",
}
_OF_ONE = ("int", "len", "list")
_COMPARED: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
}
_NUMBERS = (
    ast.Name,
    ast.Constant,
    ast.BinOp,
    ast.UnaryOp,
    ast.Attribute,
    ast.Subscript,
    ast.Call,
    ast.operator,
    ast.unaryop,
    ast.expr_context,
)
_TEST = "_dummyio_test"


class Choices(ast.NodeTransformer):
    """Rewrites calls and choices of numbers, and counts them."""

    def __init__(self) -> None:
        self.found = 0

    def visit_Call(self, node: ast.Call) -> ast.AST:
        """``int(x)``, ``min``, ``max``, ``len``, ``list`` and ``x.tolist()``."""
        self.generic_visit(node)
        if isinstance(node.func, ast.Attribute) and node.func.attr == "tolist" and not node.args and not node.keywords:
            self.found += 1
            return ast.copy_location(build_call("symbolic_tolist", [node.func.value]), node)
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        arity = len(node.args) == 1 if name in _OF_ONE else len(node.args) > 1
        if name not in _CALLS or node.keywords or not arity or any(isinstance(each, ast.Starred) for each in node.args):
            return node
        self.found += 1
        return ast.copy_location(build_call(_CALLS[name], node.args), node)

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        """``a if size > n else b``, of numbers only."""
        self.generic_visit(node)
        test = _tested(node.test)
        if test is None or not (_is_number(node.body) and _is_number(node.orelse)):
            return node
        self.found += 1
        ways = [ast.Lambda(_no_arguments(), way) for way in (node.body, node.orelse)]
        return ast.copy_location(build_call("select_value", [test, *ways]), node)

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """An ``if`` whose branches assign one number each, to the same name."""
        self.generic_visit(node)
        test, name = _tested(node.test), _same_name(node)
        if test is None or name is None:
            return node
        self.found += 1
        assert isinstance(node.body[0], ast.Assign)
        assert isinstance(node.orelse[0], ast.Assign)
        begin = ast.Assign([ast.Name(_TEST, ast.Store())], test)
        chosen = ast.Assign(
            [ast.Name(name, ast.Store())], build_call("select_number", _read(_TEST, node.body[0], node.orelse[0]))
        )
        plain = ast.If(ast.Name(_TEST, ast.Load()), node.body, node.orelse)
        choice = parse_statement("if True: pass")
        assert isinstance(choice, ast.If)
        choice.test = build_call("is_undecided", [ast.Name(_TEST, ast.Load())])
        choice.body, choice.orelse = [chosen], [plain]
        return [copy_location(begin, node), copy_location(choice, node)]


def _read(test: str, *branches: ast.Assign) -> list[ast.expr]:
    return [ast.Name(test, ast.Load()), *(copy.deepcopy(branch.value) for branch in branches)]


def _tested(test: ast.expr) -> ast.expr | None:
    """Return the rewritten test if it compares two numbers, else None."""
    if isinstance(test, ast.Compare) and len(test.ops) == 1 and type(test.ops[0]) in _COMPARED:
        left, right = test.left, test.comparators[0]
        if _is_number(left) and _is_number(right):
            of = [left.left] if isinstance(left, ast.BinOp) and isinstance(left.op, ast.Mod) else []
            return build_call("compare_sizes", [ast.Constant(_COMPARED[type(test.ops[0])]), left, right, *of])
    return None


def _same_name(node: ast.If) -> str | None:
    names = [_assigned(branch) for branch in (node.body, node.orelse)]
    return names[0] if names[0] == names[1] else None


def _assigned(branch: Sequence[ast.stmt]) -> str | None:
    match branch:
        case [ast.Assign([ast.Name(name)], value)] if _is_number(value):
            return name
        case _:
            return None


def _is_number(value: ast.expr) -> bool:
    """Whether an expression is arithmetic that may run whatever the choice: without strings, containers and tensor methods."""
    return all(
        isinstance(inner, _NUMBERS)
        and not (isinstance(inner, ast.Constant) and not isinstance(inner.value, (int, float)))
        and not (isinstance(inner, ast.Call) and not _is_ours(inner))
        for inner in ast.walk(value)
    )


def _is_ours(node: ast.Call) -> bool:
    return isinstance(node.func, ast.Attribute) and node.func.attr in (*_CALLS.values(), "select_value", "size", "dim")


def _no_arguments() -> ast.arguments:
    return ast.arguments(posonlyargs=[], args=[], kwonlyargs=[], kw_defaults=[], defaults=[])
