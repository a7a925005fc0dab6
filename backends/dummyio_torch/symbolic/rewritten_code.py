"""The rewritten code of a function, found by the content of the code that runs."""

import ast
import inspect
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from types import CodeType

from dummyio_torch.symbolic.compiler.rewrite import rewrite_function


def rewrite_code(code: CodeType) -> CodeType | None:
    """Return code that keeps sizes symbolic, for a function of a source file.

    None if the function has nothing to rewrite, or if the file no longer contains the code that runs: it has been edited
    since it was imported.
    """
    source = _read_source(code.co_filename)
    if source is None:
        return None
    tree, compiled = source
    if code not in compiled:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and node.name == code.co_name and _first_line(node) == code.co_firstlineno:
            rewritten = rewrite_function(node)
            made = None if rewritten is None else _compile_function(rewritten, code.co_filename, tree)
            return made if made is not None and made.co_freevars == code.co_freevars else None
    return None


def _first_line(node: ast.FunctionDef) -> int:
    return min([node.lineno, *(each.lineno for each in node.decorator_list)])


def _read_source(file: str) -> tuple[ast.Module, frozenset[CodeType]] | None:
    """Return the syntax tree of a file and the code of all functions in it."""
    try:
        return _parse(Path(file).read_text(encoding="utf-8"), file)
    except (OSError, SyntaxError, ValueError):
        return None


@lru_cache(maxsize=64)
def _parse(text: str, file: str) -> tuple[ast.Module, frozenset[CodeType]]:
    tree = ast.parse(text)
    return tree, frozenset(_iterate_code(compile(text, file, "exec", dont_inherit=True)))


def _iterate_code(code: CodeType) -> Iterator[CodeType]:
    for part in code.co_consts:
        if inspect.iscode(part):
            yield part
            yield from _iterate_code(part)


def _compile_function(function: ast.FunctionDef, file: str, tree: ast.Module) -> CodeType:
    """Compile a function with ``__class__`` as a free variable, which a method that calls ``super()`` needs."""
    outer = ast.parse("def outer(__class__):\n    pass").body[0]
    assert isinstance(outer, ast.FunctionDef)
    outer.body = [function]
    features = [node for node in tree.body if isinstance(node, ast.ImportFrom) and node.module == "__future__"]
    module = ast.fix_missing_locations(ast.Module([*features, outer], []))
    code = compile(module, file, "exec", dont_inherit=True)
    return next(part for part in _iterate_code(code) if part.co_name == function.name)
