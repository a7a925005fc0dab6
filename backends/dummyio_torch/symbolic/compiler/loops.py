"""Rewrites loops so that each runs as written, or as the body of a scan.

::

    for i in range(n):                      turns = runtime.symbolic_range(n)
        state = a[:, i] * state             if turns.symbolic:
        states.append(state[:, 0])              def body(i, state):
                                                    state = runtime.symbolic_getitem(a, SymbolicSlice(), i) * state
                                                    return [state], [], [state[:, 0]], []
                                                [state], [], [states], [] = runtime.run_scan(turns, body, ...)
                                            else:
                                                the loop as it is

The values that the body reads before it assigns them are carried from iteration to iteration; those that it appends to a list, or
writes into a tensor at the index of the iteration, are collected.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dummyio_torch.symbolic.compiler.ast_builders import RUNTIME, build_call, copy_location, parse_statement
from dummyio_torch.symbolic.compiler.comprehensions import Comprehensions
from dummyio_torch.symbolic.compiler.iteration_body import rewrite_iteration_body
from dummyio_torch.symbolic.compiler.liveness import find_live_names, loaded_names, stored_names
from dummyio_torch.symbolic.compiler.loop_analysis import (
    Collected,
    LoopHeader,
    find_appended,
    find_written,
    mutates_outer_objects,
    read_loop_header,
)

_TURNS, _BODY = "_dummyio_turns", "_dummyio_body"
_BARRED = (
    *(ast.Break, ast.Continue, ast.Return, ast.Yield, ast.YieldFrom, ast.Await, ast.Global, ast.Nonlocal),
    *(ast.FunctionDef, ast.ClassDef, ast.Delete, ast.Try),
)
"""Statements that leave a body early or change the meaning of its names."""


@dataclass
class Loops:
    """Rewrites blocks from their end, since the names that are read after a loop decide its results; counts the loops."""

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
            behind = find_live_names(statements[place + 1 :], after)
            done[:0] = self._statement(statements[place], behind)
        return done

    def _statement(self, node: ast.stmt, after: frozenset[str]) -> list[ast.stmt]:
        if isinstance(node, ast.For):
            loop = _Loop.of(node, after)
            after = after | find_live_names([node], after)
            if loop is not None:
                self.found += 1
                return loop.code(self._block(node.body, after))
            if isinstance(node.iter, ast.Call) and _is_range_of_steps(node.iter):
                self.found += 1
                node.iter = build_call("count_chunks", node.iter.args)
                copy_location(node, node)
        for part in ("body", "orelse", "finalbody"):
            inner = getattr(node, part, None)
            if inner and not isinstance(node, (ast.FunctionDef, ast.ClassDef, ast.AsyncFunctionDef)):
                setattr(node, part, self._block(inner, after))
        return [node]


def _is_range_of_steps(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Name) and call.func.id == "range" and len(call.args) == 3


@dataclass(frozen=True)
class _Loop:
    """A loop that can run as a scan."""

    node: ast.For
    head: LoopHeader
    carried: tuple[str, ...]
    last: tuple[str, ...]
    """Names that an iteration assigns and that are read after the loop."""
    appended: tuple[Collected, ...]
    written: tuple[Collected, ...]

    @classmethod
    def of(cls, node: ast.For, after: frozenset[str]) -> _Loop | None:
        """Return the analysis of a loop; None if it cannot run as a scan."""
        head = read_loop_header(node)
        if head is None or node.orelse or any(isinstance(inner, _BARRED) for inner in ast.walk(node)):
            return None
        lists, writes = tuple(find_appended(node.body)), tuple(find_written(node.body, head.names[0]))
        collected = {each.name: each for each in (*lists, *writes)}
        statements = [each.statement for each in (*lists, *writes)]
        others = [each for each in node.body if all(each is not one for one in statements)]
        mentioned = loaded_names(others) | stored_names(others) | loaded_names(each.value for each in (*lists, *writes))
        if len(collected) != len(statements) or mentioned & collected.keys() or mutates_outer_objects(others):
            return None
        made = stored_names(node.body) - set(head.names)
        if not made and not collected:
            return None
        carried = made & find_live_names(node.body, frozenset())
        last = (made & after) - carried
        return cls(node, head, tuple(sorted(carried)), tuple(sorted(last)), lists, writes)

    def code(self, inside: list[ast.stmt]) -> list[ast.stmt]:
        """Return the statements that replace the loop; `inside` is its body for a loop that runs as written."""
        names = [tuple(each.name for each in group) for group in (self.appended, self.written)]
        axes = [str(each.axis) for each in self.written]
        scanned = parse_statement(
            f"{_lists(self.carried, self.last, *names)} = {RUNTIME}.run_scan({_TURNS}, {_BODY}, "
            f"{', '.join(map(_tuple, (self.carried, *names, axes)))})"
        )
        turns = ast.Assign([ast.Name(_TURNS, ast.Store())], build_call(self.head.kind, self.head.items))
        plain = ast.For(self.node.target, ast.Name(_TURNS, ast.Load()), inside, [])
        symbolic = ast.Attribute(ast.Name(_TURNS, ast.Load()), "symbolic", ast.Load())
        choice = ast.If(symbolic, [self._body(), scanned], [plain])
        return [copy_location(turns, self.node), copy_location(choice, self.node)]

    def _body(self) -> ast.stmt:
        """Return the function of one iteration."""
        made = parse_statement(f"def {_BODY}({', '.join((*self.head.names, *self.carried))}): pass")
        assert isinstance(made, ast.FunctionDef)
        made.body = [rewrite_iteration_body(each, self.head.names) for each in self._statements()]
        found = [[_collected(each) for each in group] for group in (self.appended, self.written)]
        made.body.append(parse_statement(f"return {_lists(self.carried, self.last, *found)}"))
        return made

    def _statements(self) -> Iterator[ast.stmt]:
        """Yield the statements of the body, with a name for each collected value."""
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
