"""A folder of ``.npy`` files, one for each input.

A file is named after its input, with characters that are not letters, digits or ``_ . - ~`` percent-encoded. Strings are
fixed-width unicode: pickled objects are neither written nor read.
"""

import ast
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote, unquote

import numpy as np

from dummyio.atomic_files import atomic_folder
from dummyio.errors import DTypeError, DummyioError, MemoryBudgetError, SourceError, format_error_line
from dummyio.materialize.memory_budget import check_budget
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, FilePath, Metadata

DTYPES = frozenset(dtype for dtype in DType if dtype is DType.STRING or dtype.numpy.isbuiltin == 1)
"""The dtypes of NumPy. Those of ml_dtypes would be written as raw bytes without their dtype."""

_LENGTH_BYTES = {b"\x01\x00": 2, b"\x02\x00": 4, b"\x03\x00": 4}
"""Version of the format → bytes of the header's length."""
_MAX_HEADER = 10_000
"""The largest header that NumPy reads, too."""
_MAX_AXES = 64
_PLAIN = re.compile(r"[<>|=]?(?:\?|b1|[iu][1248]|f[248]|c8|c16|U\d{1,9})")
_STRING_BYTES = 8 + 56
"""An upper bound of a Python string and its reference, without the characters."""
_BLOCK = 1 << 24
_CHARACTERS, _SURROGATES = 0x110000, range(0xD800, 0xE000)


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays as the files of the folder `path`; `force` replaces an existing one."""
    del metadata  # the format cannot store it
    with atomic_folder(path, force=force) as folder:
        for name, array in arrays.items():
            # "x": on a file system that ignores case, two names that differ only in case must not share a file.
            with (folder / f"{quote(name, safe='')}.npy").open("xb") as stream:
                write_array(stream, array)


def read(path: FilePath) -> dict[str, Array]:
    """Return the arrays of a folder's ``.npy`` files, in the order of their names."""
    arrays: dict[str, Array] = {}
    for file in sorted(Path(path).glob("*.npy")):
        if not file.is_file():  # reading a pipe would wait for ever
            raise SourceError(f"{file}: this is not a file.")
        name = unquote(file.stem)
        try:
            name.encode()
        except UnicodeEncodeError:
            raise SourceError(f"{os.fspath(path)}: the file {file.name!r} is not named in UTF-8.") from None
        if name in arrays:
            raise SourceError(f"{file}: another file of this folder is input {name!r} too.")
        with file.open("rb") as stream:
            arrays[name] = read_array(stream, str(file), file.stat().st_size)
    return arrays


def write_array(stream: IO[bytes], array: Array) -> None:
    """Write one array in the ``.npy`` format; raise `DTypeError` for values that cannot be read back."""
    if array.dtype == object:
        array = _fixed_width(array)
    elif DType.of(array.dtype) not in DTYPES:
        raise DTypeError(
            f"dtype={array.dtype.name!r}: the .npy format has no such dtype. Use safetensors or ONNX test data."
        )
    np.lib.format.write_array(_Plain(stream), array, allow_pickle=False)


class _Plain:
    """A stream that NumPy does not take for a file, so that it calls `write`, whose errors state their reason."""

    def __init__(self, stream: IO[bytes]) -> None:
        self.write = stream.write


def _fixed_width(array: Array) -> Array:
    """Return strings as fixed-width unicode; raise `DTypeError` for a NUL at the end, which it cannot store."""
    longest = max((len(text) for text in array.flat if isinstance(text, str)), default=0)
    check_budget(4 * max(longest, 1) * array.size, "texts of one width, as the .npy format has them,")
    fixed = array.astype(str)
    if any(isinstance(text, str) and text.endswith("\0") for text in array.flat):
        raise DTypeError("a string that ends in NUL: the .npy format drops it. Use ONNX test data.")
    return fixed


def read_array(stream: IO[bytes], where: str, size: int) -> Array:
    """Return the one array of a stream in the ``.npy`` format, in the machine's byte order, with strings as Python strings.

    Parameters
    ----------
    stream, where
        The stream, and its name for messages.
    size
        The bytes of the stream, which its header must account for: nothing is allocated for a claim that does not fit.

    Raises
    ------
    SourceError
        If the stream contains anything else, pickled objects, or a dtype that `DType` lacks.
    MemoryBudgetError
        If the array exceeds the memory budget.
    """
    try:
        header = _read_header(stream, size)
        return _read_values(stream, header, where)
    except (ValueError, EOFError, OverflowError, TypeError) as error:
        raise SourceError(f"{where}: not a whole .npy array of plain values ({error}).") from error
    except MemoryError as error:
        if isinstance(error, DummyioError):
            raise
        raise MemoryBudgetError(f"{where}: the array needs more memory than the system gives.") from error


@dataclass(frozen=True, slots=True)
class _Header:
    """The header of a ``.npy`` file."""

    stored: np.dtype[Any]
    dtype: DType
    is_fortran: bool
    shape: tuple[int, ...]

    @property
    def count(self) -> int:
        return prod(self.shape)


def _read_header(stream: IO[bytes], size: int) -> _Header:
    """Return the header; raise `ValueError` unless it describes all bytes that follow."""
    start = stream.read(8)
    width = _LENGTH_BYTES.get(start[6:])
    if start[:6] != b"\x93NUMPY" or width is None:
        raise ValueError("it does not start as one")
    length = int.from_bytes(stream.read(width), "little")
    if length > min(_MAX_HEADER, size):
        raise ValueError(f"its header would have {length} bytes, the limit is {_MAX_HEADER}")
    header = _parse_header(stream.read(length).decode("utf-8" if start[6] == 3 else "latin-1"))
    data = size - len(start) - width - length
    needed = header.count * header.stored.itemsize
    if needed != data:
        raise ValueError(f"its header describes {_shorten(needed)} bytes, {data} follow")
    if header.count and not header.stored.itemsize:
        raise ValueError("its values have no bytes")
    return header


def _parse_header(text: str) -> _Header:
    try:
        found = ast.literal_eval(text.strip())  # the header is a Python literal
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:  # all of these for broken text
        raise ValueError(f"its header is not a dict: {format_error_line(error)}") from None
    if not isinstance(found, dict) or found.keys() != {"descr", "fortran_order", "shape"}:
        raise ValueError("its header is not a dict of descr, fortran_order and shape")
    text, shape = found["descr"], found["shape"]
    if isinstance(text, str) and text.lstrip("<>|=").startswith("O"):
        raise ValueError("its values are pickled objects, which are never read: allow_pickle=False")
    if not isinstance(text, str) or not _PLAIN.fullmatch(text):
        raise ValueError(f"its dtype {text!r:.60} is not a plain one")
    is_shape = isinstance(shape, tuple) and len(shape) <= _MAX_AXES and all(type(n) is int and n >= 0 for n in shape)
    if not is_shape or type(found["fortran_order"]) is not bool:
        raise ValueError(
            f"its shape {shape!r:.60} is not a tuple of at most {_MAX_AXES} sizes, or its order is not a bool"
        )
    stored = np.dtype(text)
    return _Header(stored, DType.of(stored), found["fortran_order"], shape)


def _read_values(stream: IO[bytes], header: _Header, where: str) -> Array:
    count, stored = header.count, header.stored
    as_text = count * _STRING_BYTES + count * stored.itemsize if header.dtype is DType.STRING else 0
    check_budget(count * stored.itemsize + as_text, where)
    values = np.empty(count, stored)
    fill_array(stream, values)
    if header.dtype is DType.STRING and count:
        _check_characters(values.view(np.dtype(np.uint32).newbyteorder(stored.byteorder)))
    shape = header.shape[::-1] if header.is_fortran else header.shape
    array: Array = values.reshape(shape).astype(header.dtype.numpy, copy=False)
    return array.T if header.is_fortran else array


def _check_characters(codes: Array) -> None:
    """Raise `ValueError` for numbers that are not characters, for which NumPy raises a `SystemError`."""
    for start in range(0, codes.size, _BLOCK):
        block = codes[start : start + _BLOCK]
        if block.max() >= _CHARACTERS or ((block >= _SURROGATES.start) & (block < _SURROGATES.stop)).any():
            raise ValueError("a string contains a number that is not a character")


def fill_array(stream: IO[bytes], values: Array) -> None:
    """Read the bytes of a flat array; raise `ValueError` if the stream ends before, or a bool is neither 0 nor 1."""
    if values.nbytes == 0:
        return
    rest = values.view(np.uint8).data
    while rest:
        count = stream.readinto(rest[:_BLOCK])  # type: ignore[attr-defined] # files and members have it
        if not count:
            raise ValueError(f"{len(rest)} bytes are missing")
        rest = rest[count:]
    if values.dtype == bool and values.view(np.uint8).max() > 1:
        raise ValueError("a bool is neither 0 nor 1")


def _shorten(number: int) -> str:
    """Return a number for a message; a number of more digits than Python prints must not fail there."""
    return str(number) if number.bit_length() <= 64 else "over 2**64"
