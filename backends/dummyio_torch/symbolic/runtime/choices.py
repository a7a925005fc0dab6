"""Arithmetic and choices of rewritten code on numbers that may be symbolic; none of them makes a symbol a constant."""

import operator
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from typing import Any

import sympy
import torch
from torch.fx.experimental.symbolic_shapes import statically_known_true
from torch.utils._sympy.functions import Mod, PythonMod

_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


@dataclass(frozen=True)
class UndecidedComparison:
    """A comparison whose result depends on symbolic sizes."""

    result: Any
    number: Any
    """1 if it is true, else 0."""
    dividend: Any = None
    """The dividend, if a remainder is compared."""

    def __bool__(self) -> bool:
        """Decide by the sizes of the trace, which constrains the symbols."""
        return bool(self.result)


def symbolic_int(value: Any) -> Any:
    """``int(value)``."""
    if isinstance(value, torch.SymInt):
        return value
    return torch.sym_int(value) if isinstance(value, torch.SymFloat) else int(value)


def symbolic_min(*values: Any) -> Any:
    """``min(...)``."""
    return reduce(_least, values) if _symbolic(*values) else min(values)


def symbolic_max(*values: Any) -> Any:
    """``max(...)``."""
    return reduce(_most, values) if _symbolic(*values) else max(values)


def _least(one: Any, other: Any) -> Any:
    if statically_known_true(one <= other):
        return one
    return other if statically_known_true(other <= one) else torch.sym_min(one, other)


def _most(one: Any, other: Any) -> Any:
    if statically_known_true(one >= other):
        return one
    return other if statically_known_true(other >= one) else torch.sym_max(one, other)


def compare_sizes(name: str, left: Any, right: Any, dividend: Any = None) -> Any:
    """``left < right`` and the other comparisons: a bool, or `UndecidedComparison`. `dividend`: of `left`, if that is a remainder."""
    result = _OPERATORS[name](left, right)
    if not isinstance(result, torch.SymBool) or not (_is_whole(left) and _is_whole(right)):
        return result
    if statically_known_true(result) or statically_known_true(torch.sym_not(result)):
        return bool(result)
    return UndecidedComparison(result, _as_number(name, left, right), dividend)


def is_undecided(test: Any) -> bool:
    """Whether a comparison is undecided."""
    return isinstance(test, UndecidedComparison)


def select_number(test: UndecidedComparison, yes: Any, no: Any) -> Any:
    """Return the number that an undecided comparison chooses, as arithmetic."""
    if not (_is_whole(yes) and _is_whole(no)):
        return yes if test else no
    simple = _by_parity(test, yes, no)
    return no + test.number * (yes - no) if simple is None else simple


def _by_parity(test: UndecidedComparison, yes: Any, no: Any) -> Any | None:
    """Return the choice as ``a + b * (n % 2)`` if it depends on that remainder alone, else None.

    The remainder is written as ``2 * ((n + 1) // 2) - n``: the sizes behind layers of stride 2 are nested in each other, and
    SymPy then simplifies their sums. With minima and maxima of remainders the expressions grow until they cannot be handled.
    """
    remainders = {atom for value in (test.number, yes, no) for atom in _expression(value).atoms(Mod, PythonMod)}
    if test.dividend is None or len(remainders) != 1:
        return None
    (remainder,) = remainders
    if remainder.args != (_expression(test.dividend), sympy.Integer(2)):
        return None
    ways = []
    for value in (0, 1):
        holds, *choice = (_expression(each).subs(remainder, value) for each in (test.number, yes, no))
        way = choice[0] if holds == 1 else choice[1]
        if not way.is_Integer:
            return None
        ways.append(int(way))
    parity = 2 * ((test.dividend + 1) // 2) - test.dividend
    return ways[0] + parity * (ways[1] - ways[0])


def _expression(value: Any) -> sympy.Expr:
    return value.node.expr if isinstance(value, torch.SymInt) else sympy.Integer(value)


def select_value(test: Any, yes: Callable[[], Any], no: Callable[[], Any]) -> Any:
    """``yes if test else no``."""
    if is_undecided(test):
        return select_number(test, yes(), no())
    return yes() if test else no()


def _as_number(name: str, left: Any, right: Any) -> Any:
    """Return 1 or 0 by arithmetic that a shape may contain."""
    if name in ("==", "!="):
        apart = left - right if right == 0 and statically_known_true(left >= 0) else None
        apart = torch.sym_max(left - right, right - left) if apart is None else apart
        differs = torch.sym_min(apart, 1)
        return 1 - differs if name == "==" else differs
    more = {"<": right - left, "<=": right - left + 1, ">": left - right, ">=": left - right + 1}[name]
    return torch.sym_max(torch.sym_min(more, 1), 0)


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, torch.SymInt)) and not isinstance(value, bool)


def _symbolic(*values: Any) -> bool:
    numbers = all(isinstance(value, (int, float, torch.SymInt, torch.SymFloat)) for value in values)
    return numbers and any(isinstance(value, (torch.SymInt, torch.SymFloat)) for value in values)
