"""Cuts and parses single statements of Python source text, so that a file of thousands of lines is not parsed."""

import ast
import re
from collections.abc import Iterable, Iterator

# What stands in the first column starts a statement, unless it is the `):` that ends a header over several lines.
# The patterns begin with the line break and not with `^`, since only a literal is searched for at the speed of memory.
_TOP_LEVEL = re.compile(r"\n[^\s#)\]}]")
_IN_CLASS = re.compile(r"\n {0,4}[^\s#)\]}]")
_COLON_AT_END = re.compile(r":[ \t]*(?:#.*)?$", re.MULTILINE)


def find_statements(text: str, *beginnings: str) -> Iterator[str]:
    """Cut the top-level statements that begin with one of some texts, in the order of the source."""
    return (_cut_statement(text, start, _TOP_LEVEL) for start in sorted(_line_starts(text, beginnings)))


def find_class(text: str, name: str) -> str | None:
    """Cut a top-level class, without its decorators; None where there is none of that name."""
    return next(find_statements(text, f"class {name}(", f"class {name}:"), None)


def find_method(class_text: str, name: str) -> str | None:
    """Cut a method that a class itself defines, without its decorators; None where it defines none of that name."""
    starts = _line_starts(class_text, [f"    def {name}("])
    return next((_cut_statement(class_text, start, _IN_CLASS) for start in starts), None)


def without_methods(class_text: str) -> str:
    """Cut the methods out of a class, except `__init__`."""
    kept, start = "", 0
    while start < len(class_text):
        statement = _cut_statement(class_text, start, _IN_CLASS)
        is_method = statement.startswith(("    @", "    def ", "    async def "))
        if not is_method or statement.startswith("    def __init__("):
            kept += statement
        start += len(statement)
    return kept


def _line_starts(text: str, beginnings: Iterable[str]) -> Iterator[int]:
    """Find the lines that begin with one of some texts."""
    for beginning in beginnings:
        if text.startswith(beginning):
            yield 0
        found = text.find(f"\n{beginning}")
        while found >= 0:
            yield found + 1
            found = text.find(f"\n{beginning}", found + 1)


def _cut_statement(text: str, start: int, begins: re.Pattern[str]) -> str:
    """Cut from `start` to where the next statement begins."""
    for stop in begins.finditer(text, start):
        statement = text[start : stop.start() + 1]
        # With an odd number of quotes, what looked like the next statement stands inside a docstring.
        if statement.count('"""') % 2 == 0:
            return statement
    return text[start:]


def parse_header(text: str) -> ast.stmt:
    """Parse the header of a `class` or `def` statement and leave its body out."""
    # Inside the brackets of a header the indentation is free: only the first line must lose its own.
    text = text.lstrip()
    # The first line end at which the text is a statement: a colon at the end of an earlier line leaves a bracket open.
    for stop in _COLON_AT_END.finditer(text):
        try:
            return ast.parse(f"{text[: stop.start()]}: pass").body[0]
        except SyntaxError:
            continue
    return ast.parse(text).body[0]  # all of it stands on one line


def parse_class(text: str) -> ast.ClassDef | None:
    """Parse a whole `class` statement; None if the text is another statement."""
    node = ast.parse(text).body[0]
    return node if isinstance(node, ast.ClassDef) else None


def parse_method(class_text: str, name: str) -> ast.FunctionDef | None:
    """Parse a method that a class itself defines; None if it defines none of that name."""
    text = find_method(class_text, name)
    # Inside a class it may stay indented: text at the margin, such as that of a comment, would stop a dedent.
    outer = parse_class(f"class _:\n{text}") if text else None
    return outer.body[0] if outer and isinstance(outer.body[0], ast.FunctionDef) else None


def parse_function(text: str, name: str) -> ast.FunctionDef | None:
    """Parse a function of that name in a file, at the top level or in a class; None if there is none."""
    found = next(find_statements(text, f"def {name}("), None)
    node = ast.parse(found).body[0] if found else parse_method(text, name)
    return node if isinstance(node, ast.FunctionDef) else None


def parse_value(statement: str) -> ast.expr | None:
    """Parse an assignment and return the expression that is assigned; None for another statement."""
    node = ast.parse(statement).body[0]
    return node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
