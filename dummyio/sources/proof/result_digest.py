"""A digest of a model's results, however they are nested: equal results have equal digests."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np


def digest_results(result: Any, to_array: Callable[[Any], Any] = np.asarray) -> bytes:
    """Return the digest of all arrays of a result; `to_array` returns a tensor of the framework as an array of NumPy."""
    digest = hashlib.blake2b()
    for tensor in _iterate_tensors(result):
        array = to_array(tensor)
        digest.update(f"{array.dtype} {array.shape}".encode())
        digest.update(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes())
    return digest.digest()


def _iterate_tensors(result: Any) -> Iterator[Any]:
    if hasattr(result, "shape") and hasattr(result, "dtype"):
        yield result
    elif isinstance(result, Mapping):
        for item in result.values():
            yield from _iterate_tensors(item)
    elif isinstance(result, (list, tuple)):
        for item in result:
            yield from _iterate_tensors(item)
    elif is_dataclass(result) and not isinstance(result, type):
        for part in fields(result):
            yield from _iterate_tensors(getattr(result, part.name, None))
