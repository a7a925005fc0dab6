"""Symbolic dims and their arithmetic.

A size in a shape is an int, a `Dim`, or a `DimExpr`: sums, products and floor-divisions of these. Expressions have one
canonical form, a polynomial with integer coefficients over dims and floor-divisions, so that ``past + sequence`` and
``sequence + past`` are equal and have the same hash and text.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from dummyio.errors import DimError
from dummyio.spec.plain_values import is_python_name, show_value, take_items, to_int

MAX_INT = 2**63 - 1
"""The largest size, and the largest number in an expression: the largest 64-bit index."""
# Expressions come from files too, so their cost is bounded.
_MAX_TERMS = 128
_MAX_FACTORS = 32
_MAX_DEPTH = 16
_MAX_PRODUCTS = 4096
_MAX_CHOICES = 100_000
MAX_CHARACTERS = 10_000
_MAX_TEXT = 10 * MAX_CHARACTERS  # of an expression on the way to a size


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
        if not is_python_name(self.name):
            raise DimError(
                f"Dim name={show_value(self.name)}: a name must be a Python identifier, such as 'batch_size'."
            )
        self._set("min", _check_bound(self, "min", self.min, 0))
        self._set("multiple_of", _check_bound(self, "multiple_of", self.multiple_of, 1))
        if self.max is not None:
            self._set("max", _check_bound(self, "max", self.max, self.min))
        if self.choices is not None:
            choices = take_items(self.choices, _MAX_CHOICES)
            if choices is None:
                raise DimError(f"Dim {self.name!r}: choices={show_value(self.choices)} must be a tuple of ints.")
            self._set("choices", tuple(_check_bound(self, "choices", choice, 0) for choice in choices))
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
        size = to_int(given)
        if size is None:
            raise DimError(f"{self.name}={show_value(given)}: a size must be an int.")
        rules = (
            (size <= MAX_INT, f"at most {MAX_INT}"),
            (size >= self.min, f"at least {self.min}"),
            (self.max is None or size <= self.max, f"at most {self.max}"),
            (size % self.multiple_of == 0, f"a multiple of {self.multiple_of}"),
            (self.choices is None or size in self.choices, "one of its choices"),
        )
        for holds, rule in rules:
            if not holds:
                stated = f"one of {show_value(self.choices)}" if rule == "one of its choices" else rule
                raise DimError(f"{self.name}={show_value(size)}: this size must be {stated}.")
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
        with suppress(DimError):
            return self.check(size) == size
        return False

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
    text: str = field(init=False, compare=False, repr=False)
    depth: int = field(init=False, compare=False, repr=False)
    """The number of divisions that are nested in each other, including this one."""

    def __post_init__(self) -> None:
        parts = (f"({part})" if isinstance(part, DimExpr) else str(part) for part in (self.numerator, self.denominator))
        object.__setattr__(self, "text", " // ".join(parts))
        depth = 1 + max(_depth(self.numerator), _depth(self.denominator))
        if depth > _MAX_DEPTH:
            raise DimError(
                f"an expression is nested too deeply: the limit is {_MAX_DEPTH} divisions inside each other."
            )
        object.__setattr__(self, "depth", depth)

    def __str__(self) -> str:
        return self.text


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
    text: str = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Write the text, and refuse what arithmetic does not make."""
        try:
            text = _write_terms(self.terms)
        except DimError:
            raise
        except (TypeError, AttributeError, ValueError):
            raise DimError(f"DimExpr({show_value(self.terms)}): write an expression with + - * // of Dims.") from None
        object.__setattr__(self, "text", text)

    def __str__(self) -> str:
        return self.text

    def __repr__(self) -> str:
        return f"DimExpr({str(self)!r})"


Size = int | Dim | DimExpr


def _write_terms(terms: Iterable[tuple[_Monomial, int]]) -> str:
    """Return the text of a sum of terms; raise `DimError` if it is too long."""
    parts: list[str] = []
    length = 0
    for monomial, coefficient in terms:
        # A quotient needs no parentheses if it is alone in its term, but a minus in front of it binds tighter.
        bare = len(monomial) == 1 and (coefficient == 1 or (coefficient == -1 and parts))
        factors = [atom.name if isinstance(atom, Dim) else atom.text if bare else f"({atom.text})" for atom in monomial]
        if abs(coefficient) != 1 or not factors:
            factors.append(str(abs(coefficient)))
        sign = "-" if coefficient < 0 else "+"
        parts.append(f" {sign} " if parts else sign.rstrip("+"))
        parts.append(" * ".join(factors))
        length += len(parts[-1]) + 3
        if length > _MAX_TEXT:
            raise DimError(f"an expression is too large: the limit is {_MAX_TEXT} characters.")
    return "".join(parts)


def _check_bound(dim: Dim, bound: str, given: object, least: int) -> int:
    value = to_int(given)
    if value is None or not least <= value <= MAX_INT:
        raise DimError(
            f"Dim {dim.name!r}: {bound}={show_value(given)} must be an int, at least {least} and at most {MAX_INT}."
        )
    return value


def _terms(size: object) -> _Terms:
    if isinstance(size, DimExpr):
        return dict(size.terms)
    if isinstance(size, Dim):
        return {(size,): 1}
    number = to_int(size)
    if number is not None:
        if abs(number) > MAX_INT:
            raise DimError(f"an expression is too large: {show_value(number)} exceeds the limit of numbers, 2^63 - 1.")
        return {(): number} if number else {}
    raise DimError(f"{show_value(size)} is not a size: use an int, a Dim or an expression of these.")


def _simplify(terms: _Terms) -> Size:
    """Return the simplest size with these terms: an int, a lone symbol, or an expression in canonical order."""
    kept = {m: c for m, c in terms.items() if c}
    if not kept:
        return 0
    if len(kept) > _MAX_TERMS or any(len(m) > _MAX_FACTORS or abs(c) > MAX_INT for m, c in kept.items()):
        raise DimError(
            f"an expression is too large: the limits are {_MAX_TERMS} terms of {_MAX_FACTORS} factors, and numbers below 2^63."
        )
    if set(kept) == {()}:
        return kept[()]
    if len(kept) == 1:
        ((monomial, coefficient),) = kept.items()
        if coefficient == 1 and len(monomial) == 1 and isinstance(monomial[0], Dim):
            return monomial[0]
    return DimExpr(tuple(sorted(kept.items(), key=lambda item: (not item[0], " ".join(map(str, item[0]))))))


def _combine(left: _Terms, right: _Terms, sign: int) -> Size:
    terms = dict(left)
    for monomial, coefficient in right.items():
        terms[monomial] = terms.get(monomial, 0) + sign * coefficient
    return _simplify(terms)


def _multiply(left: _Terms, right: _Terms) -> Size:
    if len(left) * len(right) > _MAX_PRODUCTS:
        raise DimError(f"an expression is too large: a product of {len(left)} by {len(right)} terms.")
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
    return DimExpr((((_FloorDivision(_simplify(top), _simplify(bottom)),), 1),))


def _depth(size: Size) -> int:
    """Return the number of divisions that are nested in each other."""
    if not isinstance(size, DimExpr):
        return 0
    return max((atom.depth for monomial, _ in size.terms for atom in monomial if not isinstance(atom, Dim)), default=0)


def to_size(value: object) -> Size:
    """Return `value` as a size; raise `DimError` if it cannot be one."""
    if isinstance(value, DimExpr) and len(str(value)) > MAX_CHARACTERS:
        raise DimError(f"a dimension of {len(str(value))} characters exceeds the limit of {MAX_CHARACTERS}.")
    if isinstance(value, (Dim, DimExpr)):
        return value
    size = to_int(value)
    if size is None or not 0 <= size <= MAX_INT:
        raise DimError(
            f"{show_value(value)} is not a size: use an int from 0 to 2^63 - 1, a Dim or an expression of Dims."
        )
    return size


def find_dims(size: Size) -> tuple[Dim, ...]:
    """Return the dims that `size` uses, in the order of its text."""
    if isinstance(size, Dim):
        return (size,)
    if not isinstance(size, DimExpr):
        return ()
    found: dict[Dim, None] = {}
    for monomial, _ in size.terms:
        for atom in monomial:
            parts = (atom,) if isinstance(atom, Dim) else (*find_dims(atom.numerator), *find_dims(atom.denominator))
            found |= dict.fromkeys(parts)
    return tuple(found)


def evaluate_size(size: Size, sizes: Mapping[str, int] | None = None) -> int:
    """Return `size` as an int, with the dims' sizes from `sizes`, and their default sizes for those not in it."""
    return _replace_dims(size, lambda dim: (sizes or {}).get(dim.name, dim.size))


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
                both = f"as {known!r} and as {dim!r}"
                raise DimError(f"Dim {dim.name!r} is defined twice, {both}: one name is one symbol; use two names.")
    return found
