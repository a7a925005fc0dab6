"""Symbolic dims and their arithmetic.

A size in a shape is an int, a `Dim`, or a `DimExpr`: sums, products and floor-divisions of these. Expressions have one
canonical form, a polynomial with integer coefficients over dims and floor-divisions, so that ``past + sequence`` and
``sequence + past`` are equal and have the same hash and text.
"""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, SupportsIndex

from dummyio.errors import DimError

_MAX_INT = 2**63 - 1
"""The largest size, and the largest number in an expression: the largest 64-bit index."""
# Expressions come from files too, so their cost is bounded. Real ones have a few terms.
_MAX_TERMS = 128
_MAX_FACTORS = 32
_MAX_DEPTH = 16
MAX_CHARACTERS = 10_000


class _Arithmetic:
    """The operators of `Dim` and `DimExpr`."""

    __slots__ = ()

    def __add__(self, other: Size) -> Size:
        return _combine(_terms(self), _terms(other), 1)

    __radd__ = __add__

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
    """A named symbolic dim: its default size and the sizes that it can take.

    Parameters
    ----------
    name
        The symbol; a Python identifier, so that it works as a keyword and in expressions.
    size
        The default size.
    min, max
        The smallest and the largest size, both included; ``max=None`` sets no upper bound.
    multiple_of
        Every size is a multiple of this number.
    choices
        The only sizes allowed; None allows all that the bounds allow.

    Examples
    --------
    >>> batch, past, length = Dim("batch_size", 2), Dim("past", 8, min=0), Dim("length", 16, max=512)
    >>> past + length
    DimExpr('length + past')
    >>> TensorSpec("mask", (batch, past + length), "int64").sizes({"past": 0})
    (2, 16)
    """

    name: str
    size: int
    min: int = 1
    max: int | None = None
    multiple_of: int = 1
    choices: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        """Reject an invalid name, and a default size outside the bounds."""
        if not _is_python_name(self.name):
            raise DimError(f"Dim name={self.name!r}: a name must be a Python identifier, such as 'batch_size'.")
        self._set("min", _check_bound(self, "min", self.min, 0))
        self._set("multiple_of", _check_bound(self, "multiple_of", self.multiple_of, 1))
        if self.max is not None:
            self._set("max", _check_bound(self, "max", self.max, self.min))
        if self.choices is not None:
            self._set("choices", tuple(_check_bound(self, "choices", choice, 0) for choice in self.choices))
        self._set("size", self.check(self.size))

    @classmethod
    def static(cls, name: str, size: int) -> Dim:
        """Return a dim that can take one size only.

        Examples
        --------
        >>> Dim.static("heads", 12)
        Dim('heads', 12, min=12, max=12)
        """
        return cls(name, size, min=size, max=size)

    def _set(self, field: str, value: object) -> None:
        object.__setattr__(self, field, value)

    def check(self, given: object) -> int:
        """Return `given` as an int, or raise `DimError` with the bound that it violates.

        Examples
        --------
        >>> Dim("length", 16, max=512).check(600)
        Traceback (most recent call last):
        dummyio.errors.DimError: length=600: this size must be at most 512.
        """
        size = _to_int(given)
        if size is None:
            raise DimError(f"{self.name}={given!r}: a size must be an int.")
        rules = (
            (size <= _MAX_INT, f"at most {_MAX_INT}"),
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
        """Whether this dim can take one size only."""
        if self.choices is not None:
            return all(choice == self.size or not self.takes(choice) for choice in self.choices)
        step = self.multiple_of
        return self.max is not None and self.size - step < self.min and self.size + step > self.max

    def takes(self, size: int) -> bool:
        """Whether this dim can take `size`."""
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
    """A floor-division of symbolic sizes; a factor of an expression's terms."""

    numerator: Size
    denominator: Size

    def __str__(self) -> str:
        return f"{_parenthesize(self.numerator)} // {_parenthesize(self.denominator)}"


_Atom = Dim | _FloorDivision
_Monomial = tuple[_Atom, ...]
_Terms = dict[_Monomial, int]


@dataclass(frozen=True, slots=True)
class DimExpr(_Arithmetic):
    """A sum of products of dims and floor-divisions, in canonical order; the result of arithmetic on `Dim`.

    Examples
    --------
    >>> height, width = Dim("height", 64), Dim("width", 32)
    >>> height // 16 * (width // 16) + 1
    DimExpr('(height // 16) * (width // 16) + 1')
    """

    terms: tuple[tuple[_Monomial, int], ...]

    def __str__(self) -> str:
        text = ""
        for monomial, coefficient in self.terms:
            # A quotient needs no parentheses if it is alone in its term, but a minus in front of it binds tighter.
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


def _is_python_name(name: object) -> bool:
    """Whether `name` is a Python name in the normalized form to which Python converts all names."""
    if not isinstance(name, str) or not name.isidentifier() or keyword.iskeyword(name):
        return False
    return unicodedata.is_normalized("NFKC", name)


def _to_int(value: object) -> int | None:
    """Return `value` as an int if it is an integer of Python or another library, and not a bool; else None."""
    if type(value) is int:
        return value
    return value.__index__() if isinstance(value, SupportsIndex) and not isinstance(value, bool) else None


def _check_bound(dim: Dim, field: str, given: object, least: int) -> int:
    value = _to_int(given)
    if value is None or not least <= value <= _MAX_INT:
        raise DimError(f"Dim {dim.name!r}: {field}={given!r} must be an int, at least {least} and at most {_MAX_INT}.")
    return value


def _terms(size: object) -> _Terms:
    if isinstance(size, DimExpr):
        return dict(size.terms)
    if isinstance(size, Dim):
        return {(size,): 1}
    number = _to_int(size)
    if number is not None:
        return {(): number} if number else {}
    raise DimError(f"{size!r} is not a size: use an int, a Dim or an expression of these.")


def _sort_key(monomial: _Monomial) -> tuple[bool, str]:
    return not monomial, " ".join(str(atom) for atom in monomial)


def _simplify(terms: _Terms) -> Size:
    """Return the simplest size with these terms: an int, a lone symbol, or an expression in canonical order."""
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) > _MAX_TERMS or any(len(m) > _MAX_FACTORS or abs(c) > _MAX_INT for m, c in kept.items()):
        raise DimError(
            f"an expression is too large: the limits are {_MAX_TERMS} terms of {_MAX_FACTORS} factors, and numbers below 2^63."
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
    return _simplify(terms)


def _multiply(left: _Terms, right: _Terms) -> Size:
    terms: _Terms = {}
    for a, x in left.items():
        for b, y in right.items():
            monomial = tuple(sorted((*a, *b), key=str))
            terms[monomial] = terms.get(monomial, 0) + x * y
    return _simplify(terms)


def _divide(top: _Terms, bottom: _Terms) -> Size:
    if not bottom:
        raise DimError(f"{_simplify(top)} // 0: a size cannot be divided by zero.")
    if set(bottom) == {()} and all(c % bottom[()] == 0 for c in top.values()):
        return _simplify({m: c // bottom[()] for m, c in top.items()})
    if set(bottom) == {()} and set(top) <= {()}:
        return top.get((), 0) // bottom[()]
    divided = DimExpr((((_FloorDivision(_simplify(top), _simplify(bottom)),), 1),))
    if _depth(divided) > _MAX_DEPTH:
        raise DimError(f"an expression is nested too deeply: the limit is {_MAX_DEPTH} divisions inside each other.")
    return divided


def _depth(size: Size) -> int:
    """Return the number of divisions that are nested in each other."""
    if not isinstance(size, DimExpr):
        return 0
    atoms = [atom for monomial, _ in size.terms for atom in monomial if isinstance(atom, _FloorDivision)]
    return max((1 + max(_depth(atom.numerator), _depth(atom.denominator)) for atom in atoms), default=0)


def _parenthesize(size: Size) -> str:
    return f"({size})" if isinstance(size, DimExpr) else str(size)


def to_size(value: object) -> Size:
    """Return `value` as a size; raise `DimError` if it cannot be one."""
    if isinstance(value, DimExpr) and len(str(value)) > MAX_CHARACTERS:
        raise DimError(f"a dimension of {len(str(value))} characters exceeds the limit of {MAX_CHARACTERS}.")
    if isinstance(value, (Dim, DimExpr)):
        return value
    size = _to_int(value)
    if size is None or not 0 <= size <= _MAX_INT:
        raise DimError(f"{value!r} is not a size: use an int from 0 to 2^63 - 1, a Dim or an expression of Dims.")
    return size


def find_dims(size: Size) -> tuple[Dim, ...]:
    """Return the dims that `size` uses, in the order of its text."""
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
    """Return `size` as an int, with the dims' sizes from `sizes`, and their default sizes for those not in it."""
    known = sizes or {}
    return _replace_dims(size, lambda dim: known.get(dim.name, dim.size))


def substitute_dims(size: Size, dims: Mapping[str, Dim | int]) -> Size:
    """Return `size` with its dims replaced by those, or the ints, of the same names in `dims`."""
    return _replace_dims(size, lambda dim: dims.get(dim.name, dim))


def _replace_dims(size: Size, replace: Callable[[Dim], Dim | int]) -> Any:
    if isinstance(size, Dim):
        return replace(size)
    if not isinstance(size, DimExpr):
        return size
    total: Size = 0
    for monomial, coefficient in size.terms:
        product: Size = coefficient
        for atom in monomial:
            if isinstance(atom, Dim):
                product *= replace(atom)
                continue
            divisor = _replace_dims(atom.denominator, replace)
            if divisor == 0:
                raise DimError(f"{atom}: the divisor is 0 at these sizes.")
            product *= _replace_dims(atom.numerator, replace) // divisor
        total += product
    return total


def is_static(size: Size) -> bool:
    """Whether `size` cannot vary: all its dims can take one size only."""
    return all(dim.fixed for dim in find_dims(size))


def collect_dims(sizes: Iterable[Size]) -> dict[str, Dim]:
    """Return the dims of `sizes` by name; raise `DimError` for two definitions of one name."""
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
