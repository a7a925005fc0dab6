"""The line of a model's own code that a traceback, a node of a graph or an attribute belongs to."""

import ast
import inspect
import linecache
import os
import re
import textwrap
import traceback
from collections.abc import Collection, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from torch import nn

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+)')


class Line(NamedTuple):
    """A line of code; empty if none is known."""

    where: str = ""
    """``file.py:12``, relative to the working folder if it is in it."""
    code: str = ""


def make_line(file: str, number: int) -> Line:
    """Return a line of a file."""
    path = Path(file)
    here = Path.cwd()
    shown = path.relative_to(here) if path.is_relative_to(here) else path
    return Line(f"{shown}:{number}", linecache.getline(file, number).strip())


def choose_line(frames: Iterable[tuple[str, int]], files: Collection[str]) -> Line:
    """Return the innermost of these frames (file, line; outermost first) that is in one of the model's own files."""
    own = [frame for frame in frames if frame[0] in files]
    return make_line(*own[-1]) if own else Line()


def find_line_of_error(error: BaseException, files: Collection[str]) -> Line:
    """Return the innermost line of the model's own files in the traceback of an error, or else of its causes."""
    inner: BaseException | None = error
    found = Line()
    while inner is not None:
        frames = [(frame.filename, frame.lineno or 0) for frame in traceback.extract_tb(inner.__traceback__)]
        found = choose_line(frames, files) if any(frame[0] in files for frame in frames) else found
        inner = inner.__cause__
    return found


def find_line_of_trace(stack_trace: str | None, files: Collection[str]) -> Line:
    """Return the line of a node, whose stack trace is a text."""
    frames = [(match["file"], int(match["line"])) for match in _FRAME.finditer(stack_trace or "")]
    return choose_line(frames, files)


def resolve_line(text: str, files: Collection[str]) -> Line:
    """Return the line that a text names by the name of its file: ``"model.py, line 12: ..."``."""
    match = re.match(r"(?P<file>[^,]+), line (?P<line>\d+): (?P<code>.*)", text)
    if match is None:
        return Line("", text)
    file = next((file for file in files if os.path.basename(file) == match["file"]), match["file"])  # noqa: PTH119 - of each file
    return Line(make_line(file, int(match["line"])).where, match["code"])


def find_change(part: nn.Module, name: str) -> Line:
    """Return the first line of a module's class that changes an attribute outside of its constructor."""
    for kind in type(part).__mro__:
        if kind.__module__.partition(".")[0] == nn.Module.__module__.partition(".")[0]:
            break
        try:
            lines, first = inspect.getsourcelines(kind)
            tree = ast.parse(textwrap.dedent("".join(lines)))
            file = inspect.getsourcefile(kind)
        except (OSError, TypeError, SyntaxError):  # a class without source text
            continue
        numbers = sorted(_iterate_changes(tree, name))
        if numbers and file is not None:
            return make_line(file, first + numbers[0] - 1)
    return Line()


def _iterate_changes(tree: ast.AST, name: str) -> Iterator[int]:
    for method in ast.walk(tree):
        if not isinstance(method, ast.FunctionDef) or method.name == "__init__":
            continue
        for node in ast.walk(method):
            if isinstance(node, (ast.Assign, ast.AugAssign, ast.AnnAssign)):
                targets = node.targets if isinstance(node, ast.Assign) else [node.target]
                if any(_is_attribute(part, name) for target in targets for part in ast.walk(target)):
                    yield node.lineno
            elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                changed = [*ast.walk(node.func.value)] if _is_change(node.func.attr) else []
                if any(_is_attribute(part, name) for part in changed):
                    yield node.lineno


def _is_change(method: str) -> bool:
    """Whether a method of this name changes its object: one of a tensor that ends with an underscore, or one of a list or dict."""
    in_place = method.endswith("_") and not method.endswith("__")
    return in_place or method in ("append", "extend", "update", "insert", "pop", "clear")


def _is_attribute(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Attribute)
        and node.attr == name
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    )
