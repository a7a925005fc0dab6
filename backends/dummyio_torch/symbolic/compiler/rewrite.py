"""Rewrite a function so that it runs with symbols for sizes: its choices and its loops."""

from __future__ import annotations

import ast
import copy

from dummyio_torch.symbolic.compiler.ast_builders import RUNTIME
from dummyio_torch.symbolic.compiler.choices import Choices
from dummyio_torch.symbolic.compiler.loops import Loops

__all__ = ["rewrite"]


def rewrite(function: ast.FunctionDef) -> ast.FunctionDef | None:
    """Return a function with other code for what would make a size a constant; None where there is no such thing."""
    if _mangled(function):
        return None
    other = copy.deepcopy(function)
    other.decorator_list = []
    choices, loops = Choices(), Loops()
    choices.visit(other)
    loops.rewrite(other)
    if not choices.found and not loops.found:
        return None
    begin = int(isinstance(other.body[0], ast.Expr) and isinstance(other.body[0].value, ast.Constant))
    other.body.insert(begin, ast.parse(f"from dummyio_torch.symbolic.runtime import api as {RUNTIME}").body[0])
    return other


def _mangled(function: ast.FunctionDef) -> bool:
    """Whether a name is private to the class that the function stands in: outside of it, it would be another."""
    names = (getattr(node, "attr", None) or getattr(node, "id", None) or "" for node in ast.walk(function))
    return any(name.startswith("__") and not name.endswith("__") for name in names)
