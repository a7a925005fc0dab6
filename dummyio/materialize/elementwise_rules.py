"""Rules whose elements do not depend on each other: from random words to values.

A sampler states how many 32-bit words an element takes, and turns arrays of words of any shape into arrays of values.
Whole numbers from a range of at most 2^32 are ``low + word * span // 2^32`` for every dtype, so that int32 and int64 ids
are equal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from operator import itemgetter
from statistics import NormalDist
from typing import Any

import numpy as np

from dummyio.materialize.counter_rng import Words
from dummyio.spec.dtypes import DType
from dummyio.spec.values import Choices, Constant, Labels, Normal, Rule, Strings, TokenIds, Uniform
from dummyio.typing import Array

_U32 = np.array(32, np.uint64)
_U8 = np.array(8, np.uint32)
_STEP = np.array(2.0**-24, np.float32)
_LOW32 = np.uint64(0xFFFF_FFFF)
_CHOSEN = 1 << 16
"""Words of texts that are chosen at once."""


@dataclass(frozen=True, slots=True)
class Integers:
    """The draw ``low + word * span // 2^32``: whole numbers in [low, low + span), with a span of at most 2^32."""

    low: int
    span: int


@dataclass(frozen=True, slots=True)
class Sampler:
    """The way in which a rule fills a tensor element by element.

    `values` takes one int64 array of the integers that `draw` describes; without `draw`, `words` arrays of words.
    """

    words: int
    values: Callable[[Sequence[Array]], Array]
    draw: Integers | None = None
    into: Callable[[Sequence[Array], Array], None] | None = None
    """As `values`, but writes to a given flat array, if that is faster; it may overwrite its first argument."""


def draw_integers(word: Words, draw: Integers, out: Array | None = None) -> Array:
    """Return the whole numbers that `word` draws, as int64; in `out` if given."""
    room = None if out is None else out.view(np.uint64)
    wide = np.multiply(word, np.uint64(draw.span), out=room, dtype=np.uint64)
    np.right_shift(wide, _U32, out=wide)
    drawn = wide.view(np.int64) if out is None else out
    if draw.low:
        np.add(drawn, np.int64(draw.low), out=drawn)
    return drawn


def make_sampler(rule: Rule, dtype: DType) -> Sampler | None:
    """Return the sampler of a rule for this dtype; None if the rule's elements depend on their place."""
    match rule:
        case Uniform(low, high):
            return _uniform(dtype, low, high)
        case Normal(mean, std):
            return _normal(dtype, float(mean), float(std))
        case TokenIds():
            return _token_ids(rule, dtype)
        case Labels():
            return _labels(rule, dtype)
        case Choices(options):
            table = make_constants(options, dtype)
            return Sampler(1, lambda drawn: table[drawn[0]], Integers(0, len(options)))
        case Constant(value):
            table = make_constants((value,), dtype)
            return Sampler(0, lambda _: table)
        case Strings():
            return _strings(rule)
        case _:
            return None


def make_constants(options: Sequence[Any], dtype: DType) -> Array:
    """Return `options` as an array of this dtype; whole numbers above the precision of float64 stay exact."""
    if dtype is DType.STRING:
        table = np.empty(len(options), object)
        table[:] = options
        return table
    if dtype.kind in ("int", "uint", "bool"):
        return np.array([int(option) % 2**64 for option in options], np.uint64).view(np.int64).astype(dtype.numpy)
    return np.array([float(option) for option in options]).astype(dtype.numpy)


# Whole numbers.


def _uniform(dtype: DType, low: float, high: float) -> Sampler:
    if dtype.kind in ("int", "uint", "bool"):
        return _uniform_integers(dtype, int(low), int(high))
    if dtype.kind == "complex":
        return _uniform_complex(dtype, float(low), float(high))
    fill = make_unit_floats(dtype)
    scale = make_range_scaler(dtype, float(low), float(high))
    return Sampler(_words_of(dtype), lambda words: scale(fill(words)), into=_make_uniform_writer(dtype, scale))


def _uniform_integers(dtype: DType, low: int, high: int) -> Sampler:
    span = high - low
    if span <= 1 << 32:
        if low >= 1 << 63:
            return Sampler(1, lambda words: _offset(_wide(words[0], span), low, dtype))
        values = itemgetter(0) if dtype is DType.INT64 else (lambda drawn: drawn[0].astype(dtype.numpy))
        return Sampler(1, values, Integers(low, span), lambda drawn, out: _copy(drawn[0], out))
    return Sampler(2, lambda words: _offset(_high_product(words[0], words[1], span), low, dtype))


def _cast(values: Array, dtype: DType) -> Array:
    return values if dtype is DType.INT64 else values.astype(dtype.numpy)


def _copy(values: Array, out: Array) -> None:
    """Convert `values` into `out`, which may be `values` itself."""
    if values is not out:
        np.copyto(out, values, casting="unsafe")


def _wide(word: Words, span: int) -> Array:
    return np.right_shift(np.multiply(word, np.uint64(span), dtype=np.uint64), _U32)


def _offset(wide: Array, low: int, dtype: DType) -> Array:
    """Add `low` modulo 2^64, which is right for signed and unsigned integers."""
    with np.errstate(over="ignore"):
        shifted = wide + np.uint64(low % (1 << 64))
    return shifted.view(np.int64) if dtype is DType.INT64 else shifted.astype(dtype.numpy)


def _high_product(high: Words, low: Words, span: int) -> Array:
    """Return ``(high * 2^32 + low) * span // 2^64`` in 32-bit limbs; the word itself if the span is 2^64."""
    a, b = high.astype(np.uint64), low.astype(np.uint64)
    if span == 1 << 64:
        return (a << _U32) | b
    c, d = np.uint64(span >> 32), np.uint64(span & 0xFFFF_FFFF)
    middle = a * d + ((b * d) >> _U32)
    return a * c + (middle >> _U32) + (((middle & _LOW32) + b * c) >> _U32)


def _token_ids(rule: TokenIds, dtype: DType) -> Sampler:
    if not rule.gaps:
        return _uniform_integers(dtype, rule.low, rule.high)
    # The k-th allowed id is k plus the number of gaps before it; edge j is the k at which gap j is passed.
    edges = np.array([gap - rule.low - place for place, gap in enumerate(rule.gaps)], np.int64)
    first = int(np.count_nonzero(edges == 0))  # reserved ids at the start of the range move it
    low, edges = rule.low + first, edges[first:]
    if not edges.size:
        return _uniform_integers(dtype, low, low + rule.allowed)

    def values(drawn: Sequence[Array]) -> Array:
        ids = drawn[0] + np.searchsorted(edges, drawn[0], side="right")
        return _cast(ids + low if low else ids, dtype)

    return Sampler(1, values, Integers(0, rule.allowed))


def _labels(rule: Labels, dtype: DType) -> Sampler:
    if not rule.ignored:
        return _uniform_integers(dtype, 0, rule.high)
    limit = round(rule.ignored * (1 << 32))
    ignored = make_constants([rule.ignore_index], DType.INT64)[0]

    def values(words: Sequence[Array]) -> Array:
        labels = draw_integers(words[0], Integers(0, rule.high))
        np.copyto(labels, ignored, where=words[1] < np.uint64(limit))
        return _cast(labels, dtype)

    return Sampler(2, values)


# Floats.


def _words_of(dtype: DType) -> int:
    return 2 if dtype in (DType.FLOAT64, DType.COMPLEX128) else 1


def make_unit_floats(dtype: DType) -> Callable[[Sequence[Words]], Array]:
    """Return the map from words to floats uniform in [0, 1): float64 of 53 bits for float64, else float32 of 24 bits."""
    if _words_of(dtype) == 2:
        return lambda words: (
            (words[0].astype(np.float64) * 2.0**21 + (words[1] >> np.uint32(11)).astype(np.float64)) * 2.0**-53
        )
    # 24 bits are a positive int32 too, which processors convert faster than an uint32.
    return lambda words: np.multiply((words[0] >> _U8).view(np.int32), _STEP, dtype=np.float32)


def _make_uniform_writer(dtype: DType, scale: Callable[..., Array]) -> Callable[[Sequence[Words], Array], None]:
    """Return the map of `make_unit_floats` and `scale` together, without temporary arrays."""

    def wide(words: Sequence[Words], out: Array) -> None:
        np.multiply(words[0], 2.0**21, out=out)
        np.add(out, np.right_shift(words[1], np.uint32(11), out=words[1]), out=out)
        np.multiply(out, 2.0**-53, out=out)
        scale(out, out)

    def narrow(words: Sequence[Words], out: Array) -> None:
        bits = np.right_shift(words[0], _U8, out=words[0]).view(np.int32)
        unit = out if dtype is DType.FLOAT32 else words[0].view(np.float32)
        np.copyto(unit, bits, casting="unsafe")
        np.multiply(unit, _STEP, out=unit)
        scale(unit, out)

    return wide if dtype is DType.FLOAT64 else narrow


def make_range_scaler(dtype: DType, low: float, high: float) -> Callable[..., Array]:
    """Return the map from [0, 1) to [low, high) and to the dtype, exact at both ends; its second argument is the output.

    Values are clipped to the dtype's smallest and largest values in the range *before* they are rounded to the dtype:
    rounding is monotone, so no value leaves the range afterwards.
    """
    work = np.float64 if dtype is DType.FLOAT64 else np.float32
    bottom, top = work(dtype.ceil(low)), work(dtype.floor(high))
    half = 0.5 if high / 2 - low / 2 > float(np.finfo(work).max) / 2 else 1.0  # a range that overflows is halved first
    start, span, double = work(low * half), work(high * half - low * half), work(1 / half)

    def scale(unit: Array, out: Array | None = None) -> Array:
        if span != 1:
            np.multiply(unit, span, out=unit)
        if start:
            np.add(unit, start, out=unit)
        if half != 1:
            with np.errstate(over="ignore"):
                np.multiply(unit, double, out=unit)
        if clip_low:
            np.maximum(unit, bottom, out=unit)
        if clip_high:
            np.minimum(unit, top, out=unit)
        if unit.dtype == dtype.numpy:
            return unit
        if out is None:
            return unit.astype(dtype.numpy)
        np.copyto(out, unit, casting="unsafe")
        return out

    # The map is monotone: if its two ends stay inside, all values do, and clipping is not needed.
    clip_low = clip_high = False
    ends = scale(np.array([0, 1 - np.finfo(work).epsneg], work)).astype(work)
    clip_low, clip_high = bool(not ends[0] >= bottom), bool(not ends[1] <= top)  # not: an end can be NaN
    return scale


def _uniform_complex(dtype: DType, low: float, high: float) -> Sampler:
    fill, scale = make_unit_floats(dtype.part), make_range_scaler(dtype.part, low, high)
    return _complex_sampler(dtype, lambda words: scale(fill(words)))


def _complex_sampler(dtype: DType, part: Callable[[Sequence[Words]], Array]) -> Sampler:
    """Return the sampler of complex numbers; words alternate, so that complex64 and complex128 are about equal."""
    return Sampler(2 * _words_of(dtype.part), lambda words: _complex(dtype, part(words[0::2]), part(words[1::2])))


def _complex(dtype: DType, real: Array, imaginary: Array) -> Array:
    out = np.empty(real.shape, dtype.numpy)
    out.real, out.imag = real, imaginary
    return out


_NORMAL_BITS = 12


@lru_cache(maxsize=1)
def _normal_edges() -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return the standard normal's quantiles at the edges of 4096 equal shares; the outermost are inside the last share.

    They are rounded to 7 decimals, so that they do not depend on the last bit of a math library.
    """
    count = 1 << _NORMAL_BITS
    shares = [1 / (16 * count), *(k / count for k in range(1, count)), 1 - 1 / (16 * count)]
    return np.array([round(NormalDist().inv_cdf(share), 7) for share in shares])


def _normal(dtype: DType, mean: float, std: float) -> Sampler:
    if dtype.kind == "complex":
        return _complex_sampler(dtype, _normal(dtype.part, mean, std).values)
    work = np.float64 if dtype is DType.FLOAT64 else np.float32
    edges = _normal_edges().astype(work)
    steps = np.diff(edges)
    bottom, top = (work(limit) for limit in (dtype.limits.min, dtype.limits.max))

    def values(words: Sequence[Array]) -> Array:
        place = (words[0] >> np.uint32(32 - _NORMAL_BITS)).astype(np.intp)
        rest: Array = (words[0] & np.uint32((1 << (32 - _NORMAL_BITS)) - 1)).astype(work)
        if len(words) == 2:
            rest += np.multiply(words[1].astype(work), work(2.0**-32))
        x: Array = edges[place] + np.multiply(rest, work(2.0 ** -(32 - _NORMAL_BITS))) * steps[place]
        with np.errstate(over="ignore"):
            x = np.clip(x * work(std) + work(mean), bottom, top)
        return x if x.dtype == dtype.numpy else x.astype(dtype.numpy)

    return Sampler(_words_of(dtype), values)


# Strings.


def _strings(rule: Strings) -> Sampler:
    draw, table = Integers(rule.low, rule.high - rule.low), make_constants(rule.words, DType.STRING)
    longest = max(rule.high - 1, 1)
    # A linear congruential generator that starts at the element's word; its high bits choose. Step k is a * word + b.
    factors = np.cumprod(np.full(longest, 0x5851_F42D_4C95_7F2D, np.uint64))
    terms = np.uint64(0x1405_7B7E_F767_814F) * np.cumsum(np.append(np.uint64(1), factors[:-1]))
    together = max(1, _CHOSEN // longest)

    def join(lengths: Array, starts: Array) -> list[str]:
        count = max(int(lengths.max()), 1)
        states = starts[:, None] * factors[:count] + terms[:count]
        chosen = ((states >> _U32) * np.uint64(len(table))) >> _U32
        rows = table[chosen.astype(np.intp)].tolist()
        return [" ".join(row[:length]) for row, length in zip(rows, lengths.tolist(), strict=True)]

    def values(words: Sequence[Array]) -> Array:
        lengths, starts = draw_integers(words[0], draw).reshape(-1), words[1].reshape(-1).astype(np.uint64)
        out = np.empty(lengths.size, object)
        for first in range(0, out.size, together):
            part = slice(first, first + together)
            out[part] = join(lengths[part], starts[part])
        return out.reshape(words[0].shape)

    return Sampler(2, values)
