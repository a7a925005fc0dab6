"""A folder of ``.npy`` files, one for each input.

A file is named after its input, with characters that are not letters, digits or ``_ . - ~`` percent-encoded. Strings are
fixed-width unicode: pickled objects are neither written nor read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import IO
from urllib.parse import quote, unquote

import numpy as np

from dummyio.atomic_files import atomic_folder
from dummyio.errors import DTypeError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, FilePath, Metadata

DTYPES = frozenset(dtype for dtype in DType if dtype is DType.STRING or dtype.numpy.isbuiltin == 1)
"""The dtypes of NumPy. Those of ml_dtypes would be written as raw bytes without their dtype."""


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
    arrays = {}
    for file in sorted(Path(path).glob("*.npy")):
        with file.open("rb") as stream:
            arrays[unquote(file.stem)] = read_array(stream, str(file))
    return arrays


def write_array(stream: IO[bytes], array: Array) -> None:
    """Write one array in the ``.npy`` format; raise `DTypeError` for values that cannot be read back."""
    if array.dtype == object:
        array = _fixed_width(array)
    elif array.dtype.isbuiltin != 1:
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
    fixed = array.astype(str)
    if any(isinstance(text, str) and text.endswith("\0") for text in array.flat):
        raise DTypeError("a string that ends in NUL: the .npy format drops it. Use ONNX test data.")
    return fixed


def read_array(stream: IO[bytes], where: str) -> Array:
    """Return one array of the ``.npy`` format, in the machine's byte order, with strings as Python strings.

    Raises `SourceError` if the stream holds something else, pickled objects, or a dtype that `DType` lacks.
    """
    try:
        array: Array = np.lib.format.read_array(stream, allow_pickle=False)
        dtype = DType.of(array.dtype)
    except DTypeError as error:
        raise SourceError(f"{where}: {error}") from None
    except (ValueError, EOFError, MemoryError, OSError) as error:
        raise SourceError(f"{where}: not a whole .npy array of plain values ({error}).") from error
    return array.astype(dtype.numpy, copy=False)
