"""Symbolic dimensions and their arithmetic.

A size in a shape is an int, a `Dim`, or a `DimExpr`: sums, products and floor-divisions of these. Expressions are kept
in one canonical form, a polynomial with integer coefficients over symbols and floor-divisions, so that
``past + sequence`` and ``sequence + past`` are equal, hash alike and print alike.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import SupportsIndex

from dummyio.errors import DimError

__all__ = [
    "Dim",
    "DimExpr",
    "Size",
    "collect_dims",
    "evaluate_size",
    "find_dims",
    "is_static",
    "substitute_dims",
    "to_size",
]

_LARGEST = 2**63 - 1
"""The largest size, and the largest number in an expression: what an index of 64 bits holds."""
# Expressions come from files too, so what they can cost is bounded. Real ones have a handful of terms.
_TERMS = 128
_FACTORS = 32
_DEPTH = 16
MAX_CHARACTERS = 10_000


class _Arithmetic:
    """The operators that a symbol and an expression share."""

    __slots__ = ()

    def __add__(self, other: Size) -> Size:
        return _combine(_terms(self), _terms(other), 1)

    def __radd__(self, other: Size) -> Size:
        return _combine(_terms(other), _terms(self), 1)

    def __sub__(self, other: Size) -> Size:
        return _combine(_terms(self), _terms(other), -1)

    def __rsub__(self, other: Size) -> Size:
        return _combine(_terms(other), _terms(self), -1)

    def __mul__(self, other: Size) -> Size:
        return _multiply(_terms(self), _terms(other))

    __rmul__ = __mul__

    def __floordiv__(self, other: Size) -> Size:
        return _divide(_terms(self), _terms(other))

    def __rfloordiv__(self, other: Size) -> Size:
        return _divide(_terms(other), _terms(self))


@dataclass(frozen=True, slots=True)
class Dim(_Arithmetic):
    """A named symbolic dimension: its default size and which sizes it can take.

    Parameters
    ----------
    name
        The symbol; a Python identifier, so that it works as a keyword and in expressions.
    size
        The size used where nobody asks for another.
    min, max
        Smallest and largest size, both included; ``max=None`` is no bound.
    multiple_of
        Every size is a multiple of this.
    choices
        The only sizes there are, or None.
    """

    name: str
    size: int
    min: int = 1
    max: int | None = None
    multiple_of: int = 1
    choices: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Reject what is no symbol, and a default size outside its own bounds."""
        if not _is_name(self.name):
            raise DimError(f"Dim name={self.name!r}: a name must be a Python identifier, such as 'batch_size'.")
        self._set("min", _bound(self, "min", self.min, 0))
        self._set("multiple_of", _bound(self, "multiple_of", self.multiple_of, 1))
        if self.max is not None:
            self._set("max", _bound(self, "max", self.max, self.min))
        if self.choices is not None:
            self._set("choices", tuple(_bound(self, "choices", choice, 0) for choice in self.choices))
        self._set("size", self.check(self.size))

    @classmethod
    def static(cls, name: str, size: int) -> Dim:
        """Return a dim that can take one size only."""
        return cls(name, size, min=size, max=size)

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def check(self, given: object) -> int:
        """Return `given` where this dimension can take it, else raise `DimError` with the bound it breaks."""
        size = _whole(given)
        if size is None:
            raise DimError(f"{self.name}={given!r}: a size must be an int.")
        rules = (
            (size <= _LARGEST, f"at most {_LARGEST}"),
            (size >= self.min, f"at least {self.min}"),
            (self.max is None or size <= self.max, f"at most {self.max}"),
            (size % self.multiple_of == 0, f"a multiple of {self.multiple_of}"),
            (self.choices is None or size in self.choices, f"one of {self.choices}"),
        )
        for holds, rule in rules:
            if not holds:
                raise DimError(f"{self.name}={size}: this size must be {rule}.")
        return size

    @property
    def fixed(self) -> bool:
        """Whether one size is all that this dimension can take."""
        if self.choices is not None:
            return all(choice == self.size or not self.takes(choice) for choice in self.choices)
        step = self.multiple_of
        return self.max is not None and self.size - step < self.min and self.size + step > self.max

    def takes(self, size: int) -> bool:
        """Whether this dimension can take `size`."""
        try:
            self.check(size)
        except DimError:
            return False
        return True

    def __str__(self) -> str:
        return self.name

    def __repr__(self) -> str:
        defaults = {"min": 1, "max": None, "multiple_of": 1, "choices": None}
        extra = "".join(f", {k}={getattr(self, k)!r}" for k, v in defaults.items() if getattr(self, k) != v)
        return f"Dim({self.name!r}, {self.size}{extra})"


@dataclass(frozen=True, slots=True)
class _FloorDivision:
    """A floor-division that could not be carried out; an atom of an expression."""

    numerator: Size
    denominator: Size

    def __str__(self) -> str:
        return f"{_grouped(self.numerator)} // {_grouped(self.denominator)}"


_Atom = Dim | _FloorDivision
_Monomial = tuple[_Atom, ...]
_Terms = dict[_Monomial, int]


@dataclass(frozen=True, slots=True)
class DimExpr(_Arithmetic):
    """A sum of products of symbols and floor-divisions, in canonical order; made by arithmetic on `Dim`."""

    terms: tuple[tuple[_Monomial, int], ...]

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            # A quotient can do without parentheses where nothing else is in its term: a minus in front binds tighter.
            bare = len(monomial) == 1 and (coefficient == 1 or (coefficient == -1 and text != ""))
            factors = [str(atom) if bare or isinstance(atom, Dim) else f"({atom})" for atom in monomial]
            if abs(coefficient) != 1 or not factors:
                factors.append(str(abs(coefficient)))
            sign = "-" if coefficient < 0 else "+"
            text += f" {sign} {' * '.join(factors)}" if text else ("-" if coefficient < 0 else "") + " * ".join(factors)
        return text

    def __repr__(self) -> str:
        return f"DimExpr({str(self)!r})"


Size = int | Dim | DimExpr


def _is_name(name: object) -> bool:
    """Whether Python reads `name` as a name, and as this very one: it normalizes what it reads."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        return False
    return unicodedata.is_normalized("NFKC", name)


def _whole(value: object) -> int | None:
    """Return `value` as an int where it is a whole number, Python's or another's; booleans are none."""
    if type(value) is int:
        return value
    return value.__index__() if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None


def _bound(dim: Dim, field: str, given: object, least: int) -> int:
    value = _whole(given)
    if value is None or not least <= value <= _LARGEST:
        raise DimError(f"Dim {dim.name!r}: {field}={given!r} must be an int, at least {least} and at most {_LARGEST}.")
    return value


def _terms(size: object) -> _Terms:
    if isinstance(size, DimExpr):
        return dict(size.terms)
    if isinstance(size, Dim):
        return {(size,): 1}
    whole = _whole(size)
    if whole is not None:
        return {(): whole} if whole else {}
    raise DimError(f"{size!r} is no dimension: use an int, a Dim or an expression of these.")


def _sort_key(monomial: _Monomial) -> tuple[bool, str]:
    return not monomial, " ".join(str(atom) for atom in monomial)


def _build(terms: _Terms) -> Size:
    """Return the simplest size with these terms: an int, a lone symbol, or an expression in canonical order."""
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) > _TERMS or any(len(m) > _FACTORS or abs(c) > _LARGEST for m, c in kept.items()):
        raise DimError(
            f"an expression is too large: at most {_TERMS} terms of {_FACTORS} factors are kept, with numbers below 2^63."
        )
    if set(kept) == {()}:
        return kept[()]
    if len(kept) == 1:
        ((monomial, coefficient),) = kept.items()
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Dim):
            return monomial[0]
    return DimExpr(tuple(sorted(kept.items(), key=lambda item: _sort_key(item[0]))))


def _combine(left: _Terms, right: _Terms, sign: int) -> Size:
    terms = dict(left)
    for monomial, coefficient in right.items():
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return _build(terms)


def _multiply(left: _Terms, right: _Terms) -> Size:
    terms: _Terms = {}
    for a, x in left.items():
        for b, y in right.items():
            monomial = tuple(sorted((*a, *b), key=str))
            terms[monomial] = terms.get(monomial, 0) + x * y
    return _build(terms)


def _divide(top: _Terms, bottom: _Terms) -> Size:
    if not bottom:
        raise DimError(f"{_build(top)} // 0: a size cannot be divided by zero.")
    if set(bottom) == {()} and all(c % bottom[()] == 0 for c in top.values()):
        return _build({m: c // bottom[()] for m, c in top.items()})
    if set(bottom) == {()} and set(top) <= {()}:
        return top.get((), 0) // bottom[()]
    divided = DimExpr((((_FloorDivision(_build(top), _build(bottom)),), 1),))
    if _depth(divided) > _DEPTH:
        raise DimError(f"an expression is nested too deeply: at most {_DEPTH} divisions are kept inside each other.")
    return divided


def _depth(size: Size) -> int:
    """Return how many divisions stand inside each other."""
    if not isinstance(size, DimExpr):
        return 0
    atoms = [atom for monomial, _ in size.terms for atom in monomial if isinstance(atom, _FloorDivision)]
    return max((1 + max(_depth(atom.numerator), _depth(atom.denominator)) for atom in atoms), default=0)


def _grouped(size: Size) -> str:
    return f"({size})" if isinstance(size, DimExpr) else str(size)


def to_size(value: object) -> Size:
    """Return `value` as a size; raise `DimError` where it is none."""
    if isinstance(value, DimExpr) and len(str(value)) > MAX_CHARACTERS:
        raise DimError(f"a dimension of {len(str(value))} characters: at most {MAX_CHARACTERS} can be written.")
    if isinstance(value, (Dim, DimExpr)):
        return value
    size = _whole(value)
    if size is None or not 0 <= size <= _LARGEST:
        raise DimError(f"{value!r} is no size: use an int from 0 to 2^63 - 1, a Dim or an expression of Dims.")
    return size


def find_dims(size: Size) -> tuple[Dim, ...]:
    """Return the symbols in `size`, in the order in which they are written."""
    if isinstance(size, Dim):
        return (size,)
    if not isinstance(size, DimExpr):
        return ()
    found: list[Dim] = []
    for monomial, _ in size.terms:
        for atom in monomial:
            parts = (atom,) if isinstance(atom, Dim) else (*find_dims(atom.numerator), *find_dims(atom.denominator))
            found += [p for p in parts if p not in found]
    return tuple(found)


def evaluate_size(size: Size, sizes: Mapping[str, int] | None = None) -> int:
    """Return `size` as an int, with `sizes` for its symbols and their defaults where `sizes` has none."""
    if isinstance(size, Dim):
        return size.size if sizes is None else sizes.get(size.name, size.size)
    if not isinstance(size, DimExpr):
        return size
    total = 0
    for monomial, coefficient in size.terms:
        product = coefficient
        for atom in monomial:
            if isinstance(atom, Dim):
                product *= evaluate_size(atom, sizes)
            else:
                product *= _quotient(atom, sizes)
        total += product
    return total


def _quotient(atom: _FloorDivision, sizes: Mapping[str, int] | None) -> int:
    denominator = evaluate_size(atom.denominator, sizes)
    if denominator == 0:
        raise DimError(f"{atom}: the divisor is 0 at these sizes.")
    return evaluate_size(atom.numerator, sizes) // denominator


def is_static(size: Size) -> bool:
    """Whether `size` can take one value only."""
    return all(dim.fixed for dim in find_dims(size))


def collect_dims(sizes: Iterable[Size]) -> dict[str, Dim]:
    """Collect the symbols of `sizes` by name; two definitions of one name are an error."""
    found: dict[str, Dim] = {}
    for size in sizes:
        for dim in find_dims(size):
            known = found.setdefault(dim.name, dim)
            if known != dim:
                raise DimError(
                    f"Dim {dim.name!r} is defined twice, as {known!r} and as {dim!r}: "
                    "one name is one symbol; use two names or one definition."
                )
    return found


def substitute_dims(size: Size, dims: Mapping[str, Dim | int]) -> Size:
    """Return `size` with its symbols replaced by what `dims` has under their names."""
    if isinstance(size, Dim):
        return dims.get(size.name, size)
    if not isinstance(size, DimExpr):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms:
        product: Size = coefficient
        for atom in monomial:
            product *= substitute_dims(atom, dims) if isinstance(atom, Dim) else _substitute_quotient(atom, dims)
        total += product
    return total


def _substitute_quotient(atom: _FloorDivision, dims: Mapping[str, Dim | int]) -> Size:
    return _divide(_terms(substitute_dims(atom.numerator, dims)), _terms(substitute_dims(atom.denominator, dims)))
