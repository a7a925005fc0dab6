"""Bounds of a size that make a function traceable: JAX names the numbers in its errors, and a trace confirms a bound or not.

JAX writes ``min(32, length)`` where a table has 32 rows, ``length > 4`` where a size decides, ``max(0, length - 2)`` where a window
slides, and ``floordiv(length, 4)`` where a size is taken apart. The numbers are guesses only.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product

from dummyio.spec.dims import Dim

Try = Callable[[Dim], str]
"""Traces a function with a dim; returns the reason for which that fails, empty if it does not."""
_COMPARED = re.compile(r"\b(min|max)\(|[<>]=?|==|is inconclusive")
_STRICT = re.compile(r"[<>](?!=)")
_DIVIDED = re.compile(r"\b(?:floordiv|mod)\([^()]*?(\d+)\)")
_NUMBER = re.compile(r"(?<![\w.])\d+(?![\w.])")
_MOST_TRIALS = 24


def fit_bounds(dim: Dim, reason: str, fails: Try) -> Dim | None:
    """Return a dim with bounds or a multiple with which a function can be traced; None if none are found.

    Parameters
    ----------
    dim
        A dim that the function cannot be traced with.
    reason
        Why not, in JAX's words.
    fails
        Tries another dim.
    """
    found = _fit(dim, reason, fails, [_MOST_TRIALS])
    if found is None:
        return None
    # JAX repeats restrictions in its reasons, so that one that does not help may look like a step to one that does.
    for weaker in (replace(found, max=None), replace(found, min=found.multiple_of)):
        if weaker not in (found, dim) and not fails(weaker):
            return weaker
    return found


def _fit(dim: Dim, reason: str, fails: Try, left: list[int]) -> Dim | None:
    """Return the dim of `fit_bounds`; a bound that leads to another reason is kept, and the numbers of that reason are tried."""
    for other in propose_bounds(dim, reason):
        if not left[0]:
            return None
        left[0] -= 1
        new = fails(other)
        found = other if not new else _fit(other, new, fails, left) if new != reason else None
        if found is not None:
            return found
    return None


def propose_bounds(dim: Dim, reason: str) -> Iterator[Dim]:
    """Yield dims with one more restriction that the numbers in a reason suggest, the weakest of each kind first."""
    if not re.search(rf"\b{re.escape(dim.name)}\b", reason):
        return
    for number in sorted({int(each) for each in _DIVIDED.findall(reason)}):
        if number > 1 and dim.size % number == 0 and dim.multiple_of % number:
            yield replace(dim, multiple_of=number, min=max(dim.min, number))
    if not _COMPARED.search(reason):
        return
    numbers = sorted({int(each) for each in _NUMBER.findall(reason) if len(each) < _DIGITS})
    related = {*numbers, *(a - b for a, b in product(numbers, numbers))}
    steps = (0, 1) if _STRICT.search(reason) else (0,)
    for most in sorted({each - step for each in related for step in steps if each - step >= dim.size}, reverse=True):
        if dim.max is None or most < dim.max:
            yield replace(dim, max=most)
    for least in sorted({each + step for each in related for step in (0, 1)}):
        if dim.min < least <= dim.size:
            yield replace(dim, min=least)


_DIGITS = 10
"""Numbers of as many digits are not taken for sizes."""
