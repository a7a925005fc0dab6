"""What one recorded size is of others: a multiple, a sum, a difference, a quotient; the same in every call.

A relation has fewer free numbers than the calls have different sizes: any two sizes lie on some line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import combinations, product
from typing import Any

Vector = tuple[int, ...]
"""The sizes of an axis, one for each call."""
_ENOUGH = 3
"""Different sizes that show a relation with a free number."""


@dataclass(frozen=True)
class Relation:
    """A size as a function of others, which works on numbers and on dims alike."""

    bases: tuple[Vector, ...]
    compute: Callable[..., Any]


def find_relations(vectors: Iterable[Vector], masks: set[Vector], steps: set[int]) -> dict[Vector, Relation]:
    """Return the relations of some sizes, without a circle.

    Parameters
    ----------
    vectors
        Different sizes that vary.
    masks
        Those that are lengths of masks: a mask may cover a constant number of new tokens beside a past.
    steps
        Constant sizes of integers, which may be the number of new tokens.
    """
    ascending = sorted(vectors, key=sum)
    found: dict[Vector, Relation] = {}
    for place, vector in enumerate(ascending):
        relation = next(_find_sums(vector, ascending[:place]), None) or next(
            _find_larger(vector, ascending[:place], steps if vector in masks else set()), None
        )
        if relation is not None:
            found[vector] = relation
    for place, vector in enumerate(ascending):
        free = [base for base in ascending[place + 1 :] if base not in found]
        if vector not in found and not any(vector in relation.bases for relation in found.values()):
            quotient = next(_find_quotients(vector, free), None)
            found |= {} if quotient is None else {vector: quotient}
    return found


def _find_sums(vector: Vector, bases: Iterable[Vector]) -> Iterator[Relation]:
    for one, other in combinations(bases, 2):
        rests = {total - a - b for a, b, total in zip(one, other, vector, strict=True)}
        rest = rests.pop()
        if not rests and (rest == 0 or len(set(zip(one, other, strict=True))) > _ENOUGH):
            yield Relation((one, other), partial(_add, more=rest))


def _find_larger(vector: Vector, bases: Iterable[Vector], steps: set[int]) -> Iterator[Relation]:
    """Yield the relations of a size to a smaller one: a multiple, a sum with a constant, a constant without it."""
    for base in bases:
        if base[0] and vector[0] % base[0] == 0:
            yield from _relate(vector, base, partial(_scale, factor=vector[0] // base[0], more=0))
    for base in bases:
        enough = len(set(base)) >= _ENOUGH
        step = vector[0] - base[0]
        if enough or step in steps:
            yield from _relate(vector, base, partial(_scale, factor=1, more=step))
        if enough:
            yield from _relate(vector, base, partial(_scale, factor=-1, more=vector[0] + base[0]))
            slope, start = _find_line(base, vector)
            yield from _relate(vector, base, partial(_scale, factor=slope, more=start)) if slope > 1 else ()


def _find_quotients(vector: Vector, bases: Iterable[Vector]) -> Iterator[Relation]:
    """Yield the relations of a size to a larger one: its parts of some length, the last one whole or not, and one more."""
    for base in bases if len(set(vector)) >= _ENOUGH else ():
        slope, _ = _find_line(vector, base)
        for length in range(max(slope - 1, 2), slope + 3):
            for filled, extra in product((0, length - 1), (0, 1)):
                yield from _relate(vector, base, partial(_divide, filled=filled, length=length, extra=extra))


def _relate(vector: Vector, base: Vector, compute: Callable[[Any], Any]) -> Iterator[Relation]:
    """Yield a relation if it holds in every call."""
    if all(size == compute(each) for size, each in zip(vector, base, strict=True)):
        yield Relation((base,), compute)


def _add(one: Any, other: Any, *, more: int) -> Any:
    return one + other + more


def _scale(size: Any, *, factor: int, more: int) -> Any:
    return size * factor + more


def _divide(size: Any, *, filled: int, length: int, extra: int) -> Any:
    return (size + filled) // length + extra


def _find_line(x: Vector, y: Vector) -> tuple[int, int]:
    """Return the whole slope, rounded down, and the start of the line through the outermost sizes; a slope of 0 if there is none."""
    low, high = x.index(min(x)), x.index(max(x))
    slope = (y[high] - y[low]) // (x[high] - x[low]) if x[high] != x[low] else 0
    return slope, y[low] - slope * x[low]
