"""The functions of a model that are run with other code for a while."""

from __future__ import annotations

import ast
import gc
import inspect
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from types import CodeType, FunctionType

from torch import nn

from dummyio_torch.symbolic.compiler.rewrite import rewrite
from dummyio_torch.symbolic.constant_watch import SpecializationLog, log_specializations
from dummyio_torch.symbolic.runtime.size_checks import checks_that_hold
from dummyio_torch.symbolic.runtime.torch_functions import SymbolicFunctions

__all__ = ["symbolic_sizes"]

_Place = tuple[str, int]
_OTHERS = ("torch", "builtins", "typing", "abc", "dummyio_torch")
"""Packages whose classes a model's are made of, and whose code is not the model's."""


@contextmanager
def symbolic_sizes(model: nn.Module) -> Generator[SpecializationLog]:
    """Run a model's own Python so that sizes which are symbols stay symbols, as long as this is open; note where they do not."""
    codes = {file: codes_of(file) for file in _files(model)}
    changed = []
    try:
        for function in _functions(codes):
            code = function.__code__
            other = codes[code.co_filename].get((code.co_name, code.co_firstlineno))
            if other is not None and other.co_freevars == code.co_freevars:
                changed.append((function, code))
                function.__code__ = other
        with SymbolicFunctions(), checks_that_hold(), log_specializations(codes) as watch:
            yield watch
    finally:
        for function, code in changed:
            function.__code__ = code


def _files(model: nn.Module) -> set[str]:
    """Return the files that a model's parts are written in, and those of what they import from their own package."""
    kinds = {base for kind in map(type, model.modules()) for base in kind.__mro__}
    own = {name: sys.modules[name] for name in {kind.__module__ for kind in kinds} if _package(name) not in _OTHERS}
    used = {
        held.__module__
        for module in own.values()
        for held in vars(module).values()
        if isinstance(held, FunctionType) and _package(held.__module__) == _package(module.__name__)
    }
    files = (getattr(sys.modules.get(name), "__file__", None) for name in (*own, *used))
    return {file for file in files if file is not None and file.endswith(".py")}


def _package(name: str) -> str:
    return name.partition(".")[0]


def _functions(files: object) -> Iterator[FunctionType]:
    """Return all functions of these files, wherever decorators have put them."""
    for held in gc.get_objects():
        if type(held) is FunctionType and held.__code__.co_filename in files:  # type: ignore[operator]
            yield held


@lru_cache(maxsize=512)
def codes_of(file: str) -> dict[_Place, CodeType]:
    """Return the name and first line of each function with a loop that can be rewritten → its other code."""
    try:
        tree = ast.parse(Path(file).read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError):
        return {}
    codes = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            place = (node.name, min([node.lineno, *(each.lineno for each in node.decorator_list)]))
            other = rewrite(node)
            if other is not None:
                codes[place] = _compiled(other, file, tree)
    return codes


def _compiled(function: ast.FunctionDef, file: str, tree: ast.Module) -> CodeType:
    """Return a function's code: that of a method may use ``super()``, which is a cell of its class."""
    cell = ast.parse("def outer(__class__):\n    pass").body[0]
    assert isinstance(cell, ast.FunctionDef)
    cell.body = [function]
    module = ast.fix_missing_locations(ast.Module([cell], []))
    features = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    module.body[:0] = features
    outer = _inner(compile(module, file, "exec", dont_inherit=True), "outer")
    return _inner(outer, function.name)


def _inner(code: CodeType, name: str) -> CodeType:
    return next(part for part in code.co_consts if inspect.iscode(part) and part.co_name == name)
