"""The header of a loop, and the values that its iterations collect."""

import ast
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class LoopHeader(NamedTuple):
    """The iterable of a loop: the runtime function for it, its arguments, and the names of the items of an iteration."""

    kind: str
    items: tuple[ast.expr, ...]
    names: tuple[str, ...]


@dataclass(frozen=True)
class Collected:
    """``name.append(value)``, or ``name[:, index] = value``; `axis` is the axis of the index."""

    name: str
    statement: ast.stmt
    value: ast.expr
    axis: int = 0


def read_loop_header(node: ast.For | ast.comprehension) -> LoopHeader | None:
    """Return the header of ``i in range(n)``, ``one, other in zip(a, b)``, ``row in rows``; None for any other."""
    targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
    names = tuple(name.id for name in targets if isinstance(name, ast.Name))
    if len(names) != len(targets):
        return None
    several = isinstance(node.target, ast.Tuple)
    match node.iter:
        case ast.Call(ast.Name("range"), arguments, []) if not several:
            return LoopHeader("symbolic_range", tuple(arguments), names)
        case ast.Call(ast.Name("enumerate"), [values], []) if len(names) == 2:
            return LoopHeader("symbolic_enumerate", (values,), names)
        case ast.Call(ast.Name("zip"), arguments, []) if len(names) == len(arguments) and several:
            return LoopHeader("symbolic_zip", tuple(arguments), names)
        case _ if not several:
            return LoopHeader("symbolic_rows", (node.iter,), names)
        case _:
            return None


def find_appended(statements: Sequence[ast.stmt]) -> Iterator[Collected]:
    """Find the values that are appended to lists."""
    for statement in statements:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append"), [value], [])) if may_be_tensor(value):
                yield Collected(name, statement, value)
            case _:
                pass


def may_be_tensor(value: ast.expr) -> bool:
    """Whether an expression may be one tensor: it is not a tuple, another container or a literal."""
    return not isinstance(value, (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Constant, ast.JoinedStr))


def find_written(statements: Sequence[ast.stmt], index: str) -> Iterator[Collected]:
    """Find the writes at the index of the iteration: the index alone on one axis, all of the other axes."""
    for statement in statements:
        match statement:
            case ast.Assign([ast.Subscript(ast.Name(name), key)], value):
                keys = key.elts if isinstance(key, ast.Tuple) else [key]
                places = [place for place, part in enumerate(keys) if isinstance(part, ast.Name) and part.id == index]
                rest = [part for part in keys if not (isinstance(part, ast.Name) and part.id == index)]
                dots = [
                    place for place, part in enumerate(keys) if isinstance(part, ast.Constant) and part.value is ...
                ]
                if len(places) == 1 and len(dots) <= 1 and all(_is_whole(part) for part in rest):
                    from_end = bool(dots) and dots[0] < places[0]
                    yield Collected(name, statement, value, places[0] - len(keys) if from_end else places[0])
            case _:
                pass


def _is_whole(key: ast.expr) -> bool:
    whole = isinstance(key, ast.Slice) and key.lower is None and key.upper is None and key.step is None
    return whole or (isinstance(key, ast.Constant) and key.value is ...)


def mutates_outer_objects(statements: Sequence[ast.stmt]) -> bool:
    """Whether a statement changes an object in place: assigns an item or an attribute, or changes a list."""
    for node in (inner for statement in statements for inner in ast.walk(statement)):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("append", "extend", "insert", "pop", "update"):
            return True
    return False
