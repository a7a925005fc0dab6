"""Rewrite loops so that each can run as written, or as the body of a scan.

::

    for i in range(n):                      turns = runtime.turns(range(n)'s arguments)
        state = a[:, i] * state             if turns is symbolic:
        states.append(state[:, 0])              def body(i, state):
                                                    state = runtime.pick(a, Span(), i) * state
                                                    return (state,), (state[:, 0],), ()
                                                (state,), (states,), () = runtime.scan(turns, body, ...)
                                            else:
                                                the loop as it is

What goes from turn to turn is what the body reads before it assigns it; what it appends to lists, and what it writes at the
turn's place of a tensor, is collected.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dummyio_torch.symbolic.liveness import live_before, loaded, stored
from dummyio_torch.symbolic.syntax import RUNTIME, call, located

__all__ = ["Loops"]

_TURNS, _BODY = "_dummyio_turns", "_dummyio_body"
_LEAVING = (ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal)


@dataclass
class Loops:
    """Rewrites blocks from their end, for what matters behind a loop decides what it hands on; counts what it finds."""

    found: int = 0

    def rewrite(self, function: ast.FunctionDef) -> None:
        """Rewrite a function's loops and comprehensions."""
        function.body = self._block(function.body, frozenset())
        comprehensions = _Comprehensions()
        comprehensions.visit(function)
        self.found += comprehensions.found

    def _block(self, statements: Sequence[ast.stmt], after: frozenset[str]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for place in range(len(statements) - 1, -1, -1):
            behind = live_before(statements[place + 1 :], after)
            done[:0] = self._statement(statements[place], behind)
        return done

    def _statement(self, statement: ast.stmt, after: frozenset[str]) -> list[ast.stmt]:
        if isinstance(statement, ast.For):
            loop = _Loop.of(statement, after)
            after = after | live_before([statement], after)
            if loop is not None:
                self.found += 1
                return loop.written(self._block(statement.body, after))
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(statement, part, None)
            if inner and not isinstance(statement, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                setattr(statement, part, self._block(inner, after))
        return [statement]


@dataclass(frozen=True)
class _Appended:
    name: str
    statement: ast.stmt
    value: ast.expr


@dataclass(frozen=True)
class _Written:
    """``name[:, index] = value``."""

    name: str
    statement: ast.stmt
    axis: int
    value: ast.expr


@dataclass(frozen=True)
class _Loop:
    node: ast.For
    kind: str
    """``range``, ``enumerate`` or ``rows``."""
    items: tuple[ast.expr, ...]
    targets: tuple[str, ...]
    carried: tuple[str, ...]
    last: tuple[str, ...]
    """What a turn makes anew, and is read behind the loop."""
    appended: tuple[_Appended, ...]
    writes: tuple[_Written, ...]

    @classmethod
    def of(cls, node: ast.For, after: frozenset[str]) -> _Loop | None:
        """Return what is known of a loop; None where it cannot be a scan."""
        head = _head(node)
        if head is None or node.orelse or any(isinstance(inner, _LEAVING) for inner in ast.walk(node)):
            return None
        if any(isinstance(inner, (ast.FunctionDef, ast.ClassDef, ast.Delete, ast.Try)) for inner in ast.walk(node)):
            return None
        kind, items, targets = head
        appended = tuple(_appended(node.body))
        writes = tuple(_writes(node.body, targets[0]))
        collected = [each.name for each in (*appended, *writes)]
        others = [
            statement
            for statement in node.body
            if all(statement is not each.statement for each in (*appended, *writes))
        ]
        mentioned = loaded(others) | stored(others) | loaded([each.value for each in (*appended, *writes)])
        if len(set(collected)) != len(collected) or mentioned & set(collected) or _changes(others):
            return None
        made = stored(node.body) - set(targets)
        before = live_before(node.body, frozenset())
        carried = made & before
        last = (made & after) - carried
        if not made and not collected:
            return None
        return cls(node, kind, items, targets, tuple(sorted(carried)), tuple(sorted(last)), appended, writes)

    def written(self, inside: list[ast.stmt]) -> list[ast.stmt]:
        """Return the statements that stand for the loop; `inside` is its body where it runs as it is."""
        body = self._body()
        names = (self.carried, self.last, tuple(each.name for each in self.appended))
        writes = tuple(each.name for each in self.writes)
        axes = [str(each.axis) for each in self.writes]
        call = ast.parse(
            f"{_tuples((*names, writes))} = {RUNTIME}.scan({_TURNS}, {_BODY}, {_tuple(self.carried)}, "
            f"{_tuple(names[2])}, {_tuple(writes)}, {_tuple(axes)})"
        ).body[0]
        turns = ast.parse(f"{_TURNS} = {RUNTIME}.{self.kind}()").body[0]
        assert isinstance(turns, ast.Assign)
        assert isinstance(turns.value, ast.Call)
        turns.value.args = list(self.items)
        choice = ast.parse(f"if {_TURNS}.symbolic: pass").body[0]
        assert isinstance(choice, ast.If)
        plain = ast.For(self.node.target, ast.Name(_TURNS, ast.Load()), inside, [])
        choice.body, choice.orelse = [body, call], [plain]
        return [located(turns, self.node), located(choice, self.node)]

    def _body(self) -> ast.FunctionDef:
        made = ast.parse(f"def {_BODY}({', '.join((*self.targets, *self.carried))}): pass").body[0]
        assert isinstance(made, ast.FunctionDef)
        collected = {id(each.statement): f"_dummyio_{each.name}" for each in (*self.appended, *self.writes)}
        values = {id(each.statement): each.value for each in (*self.appended, *self.writes)}
        statements: list[ast.stmt] = []
        for statement in self.node.body:
            if id(statement) in collected:
                assigned = ast.Assign(
                    [ast.Name(collected[id(statement)], ast.Store())], copy.deepcopy(values[id(statement)])
                )
                statements.append(ast.copy_location(assigned, statement))
            else:
                statements.append(copy.deepcopy(statement))
        found = [[collected[id(each.statement)] for each in group] for group in (self.appended, self.writes)]
        result = f"return {_tuples((self.carried, self.last, *found))}"
        made.body = [_Picks(self.targets).visit(_OutOfPlace().visit(statement)) for statement in statements]
        made.body.append(ast.parse(result).body[0])
        return made


def _tuple(names: Sequence[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names)})"


def _tuples(groups: Sequence[Sequence[str]]) -> str:
    return ", ".join(f"[{', '.join(names)}]" for names in groups)


def _head(node: ast.For | ast.comprehension) -> tuple[str, tuple[ast.expr, ...], tuple[str, ...]] | None:
    """Return by what a loop goes over what, and with which names: ``i in range(n)``, ``one, other in zip(a, b)``, ``row in rows``."""
    targets = node.target.elts if isinstance(node.target, ast.Tuple) else [node.target]
    names = tuple(name.id for name in targets if isinstance(name, ast.Name))
    if len(names) != len(targets):
        return None
    several = isinstance(node.target, ast.Tuple)
    match node.iter:
        case ast.Call(ast.Name("range"), arguments, []) if not several:
            return "range_", tuple(arguments), names
        case ast.Call(ast.Name("enumerate"), [values], []) if len(names) == 2:
            return "enumerate_", (values,), names
        case ast.Call(ast.Name("zip"), arguments, []) if len(names) == len(arguments) and several:
            return "zip_", tuple(arguments), names
        case _ if not several:
            return "rows", (node.iter,), names
        case _:
            return None


def _appended(statements: Sequence[ast.stmt]) -> Iterator[_Appended]:
    for statement in statements:
        match statement:
            case ast.Expr(ast.Call(ast.Attribute(ast.Name(name), "append"), [value], [])) if _may_be_tensor(value):
                yield _Appended(name, statement, value)
            case _:
                pass


def _may_be_tensor(value: ast.expr) -> bool:
    return not isinstance(value, (ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Constant, ast.JoinedStr))


def _writes(statements: Sequence[ast.stmt], index: str) -> Iterator[_Written]:
    """Find what is written at the place of the turn: all of the other axes, and the index alone on one."""
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
                    yield _Written(name, statement, places[0] - len(keys) if from_end else places[0], value)
            case _:
                pass


def _is_whole(key: ast.expr) -> bool:
    whole = isinstance(key, ast.Slice) and key.lower is None and key.upper is None and key.step is None
    return whole or (isinstance(key, ast.Constant) and key.value is ...)


def _changes(statements: Sequence[ast.stmt]) -> bool:
    """Whether something outside is changed in place: an item or an attribute assigned, a list appended to."""
    for node in (inner for statement in statements for inner in ast.walk(statement)):
        if isinstance(node, (ast.Subscript, ast.Attribute)) and isinstance(node.ctx, (ast.Store, ast.Del)):
            return True
        if isinstance(node, ast.Attribute) and node.attr in ("append", "extend", "insert", "pop", "update"):
            return True
    return False


class _OutOfPlace(ast.NodeTransformer):
    """``x += y`` → ``x = x + y``: a scan's body may not write on what it is given."""

    def visit_AugAssign(self, node: ast.AugAssign) -> ast.AST:
        if not isinstance(node.target, ast.Name):
            return node
        read = ast.Name(node.target.id, ast.Load())
        return ast.copy_location(ast.Assign([node.target], ast.BinOp(read, node.op, node.value)), node)


class _Picks(ast.NodeTransformer):
    """``x[:, i]`` → ``pick(x, Span(None, None, None), i)`` where a turn's own names stand in the key."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = set(names)

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if not isinstance(node.ctx, ast.Load) or not loaded(node.slice) & self._names:
            return node
        keys = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        return ast.copy_location(call("pick", [node.value, *map(_as_value, keys)]), node)


class _Comprehensions(ast.NodeTransformer):
    """``[f(x[i]) for i in range(n)]`` → ``mapped(range_(n), lambda i: f(pick(x, i)))``."""

    def __init__(self) -> None:
        self.found = 0

    def visit_ListComp(self, node: ast.ListComp) -> ast.AST:
        self.generic_visit(node)
        head = _head(node.generators[0])
        if len(node.generators) > 1 or node.generators[0].ifs or node.generators[0].is_async or head is None:
            return node
        if any(isinstance(inner, (ast.NamedExpr, ast.Await)) for inner in ast.walk(node)) or not _may_be_tensor(
            node.elt
        ):
            return node
        self.found += 1
        kind, items, names = head
        arguments = [ast.arg(name) for name in names]
        body = ast.Lambda(ast.arguments([], arguments, None, [], [], None, []), _Picks(names).visit(node.elt))
        made = call("mapped", [call(kind, items), body])
        if _flattens(node.elt, names[0]):
            made.keywords.append(ast.keyword("joins", ast.Constant(value=True)))
        return ast.copy_location(made, node)


def _flattens(value: ast.expr, item: str) -> bool:
    """Whether code is ``item.reshape(-1, item.shape[-1])``: done to items one behind the other, it gives the results so."""
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


def _as_value(key: ast.expr) -> ast.expr:
    if isinstance(key, ast.Slice):
        return call("Span", [part or ast.Constant(None) for part in (key.lower, key.upper, key.step)])
    return call("Place", [key]) if isinstance(key, ast.BinOp) else key
