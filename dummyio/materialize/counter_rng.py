"""Random bits as a pure function of (seed, sample, path, index).

A key is two 32-bit words, made by BLAKE2b: those of (seed, sample), combined with those of the path. The bits of element i
are a hash of ``i mod PERIOD`` and the key: two multiply-xorshift rounds (constants found by Chris Wellon's search, "lowbias32").
After two rounds alone, elements 16 or 768 apart are correlated; counting in steps of the golden ratio, not of 1, removes
this, at no cost if the counts are made beforehand. The second word of an element is the first word of element i + PERIOD,
before the index is reduced.
The period is a prime, so that rows of no usual length repeat. A large tensor is one computed block and copies of it, which
runs at the speed of memory and still allows random access.

Every number in this file determines the values: a change breaks the golden vectors, and is a breaking release.
"""

import hashlib
import operator
import struct
from functools import lru_cache
from typing import Any

import numpy as np

from dummyio.errors import OptionError
from dummyio.spec.plain_values import show_value

PERIOD = 1_048_573
"""Element i and element i + PERIOD of a tensor hold the same bits; the largest prime below 2^20."""

Key = tuple[int, int]
Words = np.ndarray[Any, np.dtype[np.uint32]]

_MASK = 0xFFFF_FFFF
_GOLDEN = 0x9E37_79B1
# 0-d arrays, not scalars: NumPy converts them faster, and overhead dominates for small tensors.
_M1 = np.array(0x7FEB_352D, np.uint32)
_M2 = np.array(0x846C_A68B, np.uint32)
_S16 = np.array(16, np.uint32)
_S15 = np.array(15, np.uint32)


def _hash_text(text: bytes) -> Key:
    first, second = struct.unpack("<II", hashlib.blake2b(text, digest_size=8).digest())
    return first, second


def sample_key(seed: int, sample: int) -> Key:
    """Return the key words of a sample. Any int can be a seed; samples are counted from 0."""
    try:
        return _hash_text(b"dummyio sample %x %x" % (operator.index(seed), operator.index(sample)))
    except TypeError:
        raise OptionError(f"seed={show_value(seed)}, sample={show_value(sample)}: both must be ints.") from None


@lru_cache(maxsize=4096)
def path_key(path: str) -> Key:
    """Return the key words of an input's path."""
    return _hash_text(b"dummyio path " + path.encode())


def combine_keys(path: Key, sample: Key) -> Key:
    """Return the key of (seed, sample, path)."""
    return (path[0] + sample[0]) & _MASK, path[1] ^ sample[1]


def scale_counters(index: Words) -> Words:
    """Return the counts that `hash_counters` takes for the elements at `index`, which is already reduced by `PERIOD`."""
    return index * np.uint32(_GOLDEN)


def first_word(key: Key, stream: int, start: int = 0) -> int:
    """Return the number to add to the counts from element `start` on; `stream` is the place of the word in its element."""
    return (key[0] + (start + stream * PERIOD) * _GOLDEN) & _MASK


def hash_counters(count: Words, first: Any, second: Any, x: Words, scratch: Words) -> Words:
    """Write the hash of `count` to `x`: `first` is added to it, `second` enters between the rounds.

    NumPy gets its output by position: a keyword takes longer, which is noticeable for small tensors.
    """
    np.add(count, first, x)
    np.right_shift(x, _S16, scratch)
    np.bitwise_xor(x, scratch, x)
    np.multiply(x, _M1, x)
    np.bitwise_xor(x, second, x)
    np.right_shift(x, _S15, scratch)
    np.bitwise_xor(x, scratch, x)
    np.multiply(x, _M2, x)
    np.right_shift(x, _S16, scratch)
    np.bitwise_xor(x, scratch, x)
    return x


def random_words(index: Words, key: Key, stream: int = 0) -> Words:
    """Return the bits of the elements at `index`, which is already reduced by `PERIOD`."""
    first, second = np.uint32(first_word(key, stream)), np.uint32(key[1])
    return hash_counters(scale_counters(index), first, second, np.empty_like(index), np.empty_like(index))
