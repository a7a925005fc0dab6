"""Rewrite loops so that each can run as written, or as the body of a scan.

::

    for i in range(n):                      turns = runtime.range_(n)
        state = a[:, i] * state             if turns.symbolic:
        states.append(state[:, 0])              def body(i, state):
                                                    state = runtime.symbolic_getitem(a, SymbolicSlice(), i) * state
                                                    return [state], [], [state[:, 0]], []
                                                [state], [], [states], [] = runtime.scan(turns, body, ...)
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

from dummyio_torch.symbolic.compiler.ast_builders import RUNTIME, call, copy_location, statement
from dummyio_torch.symbolic.compiler.comprehensions import Comprehensions
from dummyio_torch.symbolic.compiler.iteration_body import rewrite_iteration_body
from dummyio_torch.symbolic.compiler.liveness import live_before, loaded, stored
from dummyio_torch.symbolic.compiler.loop_analysis import (
    Collected,
    LoopHeader,
    appended,
    head_of,
    mutates_outer_objects,
    written,
)

__all__ = ["Loops"]

_TURNS, _BODY = "_dummyio_turns", "_dummyio_body"
_BARRED = (
    *(ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal),
    *(ast.FunctionDef, ast.ClassDef, ast.Delete, ast.Try),
)
"""What leaves a body half-way, or what its names are."""


@dataclass
class Loops:
    """Rewrites blocks from their end, for what matters behind a loop decides what it hands on; counts what it finds."""

    found: int = 0

    def rewrite(self, function: ast.FunctionDef) -> None:
        """Rewrite a function's loops and comprehensions."""
        function.body = self._block(function.body, frozenset())
        comprehensions = Comprehensions()
        comprehensions.visit(function)
        self.found += comprehensions.found

    def _block(self, statements: Sequence[ast.stmt], after: frozenset[str]) -> list[ast.stmt]:
        done: list[ast.stmt] = []
        for place in range(len(statements) - 1, -1, -1):
            behind = live_before(statements[place + 1 :], after)
            done[:0] = self._statement(statements[place], behind)
        return done

    def _statement(self, node: ast.stmt, after: frozenset[str]) -> list[ast.stmt]:
        if isinstance(node, ast.For):
            loop = _Loop.of(node, after)
            after = after | live_before([node], after)
            if loop is not None:
                self.found += 1
                return loop.code(self._block(node.body, after))
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if inner and not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                setattr(node, part, self._block(inner, after))
        return [node]


@dataclass(frozen=True)
class _Loop:
    """A loop that can be a scan."""

    node: ast.For
    head: LoopHeader
    carried: tuple[str, ...]
    last: tuple[str, ...]
    """What a turn makes anew, and is read behind the loop."""
    appended: tuple[Collected, ...]
    written: tuple[Collected, ...]

    @classmethod
    def of(cls, node: ast.For, after: frozenset[str]) -> _Loop | None:
        """Return what is known of a loop; None where it cannot be a scan."""
        head = head_of(node)
        if head is None or node.orelse or any(isinstance(inner, _BARRED) for inner in ast.walk(node)):
            return None
        lists, writes = tuple(appended(node.body)), tuple(written(node.body, head.names[0]))
        collected = {each.name: each for each in (*lists, *writes)}
        statements = [each.statement for each in (*lists, *writes)]
        others = [each for each in node.body if all(each is not one for one in statements)]
        mentioned = loaded(others) | stored(others) | loaded(each.value for each in (*lists, *writes))
        if len(collected) != len(statements) or mentioned & collected.keys() or mutates_outer_objects(others):
            return None
        made = stored(node.body) - set(head.names)
        if not made and not collected:
            return None
        carried = made & live_before(node.body, frozenset())
        last = (made & after) - carried
        return cls(node, head, tuple(sorted(carried)), tuple(sorted(last)), lists, writes)

    def code(self, inside: list[ast.stmt]) -> list[ast.stmt]:
        """Return the statements that stand for the loop; `inside` is its body where it runs as it is."""
        names = [tuple(each.name for each in group) for group in (self.appended, self.written)]
        axes = [str(each.axis) for each in self.written]
        scanned = statement(
            f"{_lists(self.carried, self.last, *names)} = {RUNTIME}.scan({_TURNS}, {_BODY}, "
            f"{', '.join(map(_tuple, (self.carried, *names, axes)))})"
        )
        turns = ast.Assign([ast.Name(_TURNS, ast.Store())], call(self.head.kind, self.head.items))
        plain = ast.For(self.node.target, ast.Name(_TURNS, ast.Load()), inside, [])
        symbolic = ast.Attribute(ast.Name(_TURNS, ast.Load()), "symbolic", ast.Load())
        choice = ast.If(symbolic, [self._body(), scanned], [plain])
        return [copy_location(turns, self.node), copy_location(choice, self.node)]

    def _body(self) -> ast.stmt:
        """Return the function of one turn."""
        made = statement(f"def {_BODY}({', '.join((*self.head.names, *self.carried))}): pass")
        assert isinstance(made, ast.FunctionDef)
        made.body = [rewrite_iteration_body(each, self.head.names) for each in self._statements()]
        found = [[_collected(each) for each in group] for group in (self.appended, self.written)]
        made.body.append(statement(f"return {_lists(self.carried, self.last, *found)}"))
        return made

    def _statements(self) -> Iterator[ast.stmt]:
        """Yield the body's statements, with a name for each thing that is collected."""
        collected = {id(each.statement): each for each in (*self.appended, *self.written)}
        for each in self.node.body:
            one = collected.get(id(each))
            if one is None:
                yield copy.deepcopy(each)
            else:
                target = ast.Name(_collected(one), ast.Store())
                yield ast.copy_location(ast.Assign([target], copy.deepcopy(one.value)), each)


def _collected(one: Collected) -> str:
    return f"_dummyio_{one.name}"


def _tuple(names: Sequence[str]) -> str:
    return f"({''.join(f'{name}, ' for name in names)})"


def _lists(*groups: Sequence[str]) -> str:
    return ", ".join(f"[{', '.join(names)}]" for names in groups)
