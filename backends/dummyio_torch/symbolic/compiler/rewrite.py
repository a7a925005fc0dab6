"""Rewrites the choices and loops of a function so that they run with symbolic sizes."""

import ast
import copy

from dummyio_torch.symbolic.compiler.ast_builders import RUNTIME
from dummyio_torch.symbolic.compiler.choices import Choices
from dummyio_torch.symbolic.compiler.loops import Loops


def rewrite_function(function: ast.FunctionDef) -> ast.FunctionDef | None:
    """Return a copy of a function that keeps sizes symbolic; None if it contains nothing to rewrite."""
    if _mangled(function) or _declares_scope(function):
        return None
    other = copy.deepcopy(function)
    other.decorator_list = []
    choices, loops = Choices(), Loops()
    choices.visit(other)
    loops.rewrite(other)
    if not choices.found and not loops.found:
        return None
    begin = int(isinstance(other.body[0], ast.Expr) and isinstance(other.body[0].value, ast.Constant))
    imports, test = ast.parse(
        f"from dummyio_torch.symbolic.runtime import api as {RUNTIME}\n{RUNTIME}.is_tracing()"
    ).body
    assert isinstance(test, ast.Expr)
    # Another thread may call the function meanwhile: there it runs as written.
    written = copy.deepcopy(function.body[begin:])
    other.body[begin:] = [imports, ast.If(test.value, other.body[begin:] or [ast.Pass()], written or [ast.Pass()])]
    return other


def _declares_scope(function: ast.FunctionDef) -> bool:
    """Whether the function has a ``global`` or ``nonlocal``, which Python accepts only once, before the name is used."""
    return any(isinstance(node, (ast.Global, ast.Nonlocal)) for node in ast.walk(function))


def _mangled(function: ast.FunctionDef) -> bool:
    """Whether the function uses a name with two leading underscores, which Python changes inside a class only."""
    names = (getattr(node, "attr", None) or getattr(node, "id", None) or "" for node in ast.walk(function))
    return any(name.startswith("__") and not name.endswith("__") for name in names)
