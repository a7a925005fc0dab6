"""One ``.safetensors`` file, with bfloat16 and 8-bit floats, and with the values' origin in its metadata.

The format is a length, a JSON header and the bytes of the tensors; they are written directly from the arrays' memory,
without a copy and without another package. Tensors are in the order of their element sizes, so that each is aligned; the
header keeps the inputs' order. Equal samples give equal bytes.
"""

import os
from collections.abc import Mapping
from math import prod
from typing import IO, Any

import msgspec
import numpy as np

from dummyio.atomic_files import atomic_file
from dummyio.errors import DTypeError, OutputError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, FilePath, Metadata

_CODES = {
    DType.FLOAT64: "F64",
    DType.FLOAT32: "F32",
    DType.FLOAT16: "F16",
    DType.BFLOAT16: "BF16",
    DType.FLOAT8_E4M3FN: "F8_E4M3",
    DType.FLOAT8_E4M3FNUZ: "F8_E4M3FNUZ",
    DType.FLOAT8_E5M2: "F8_E5M2",
    DType.FLOAT8_E5M2FNUZ: "F8_E5M2FNUZ",
    DType.FLOAT8_E8M0FNU: "F8_E8M0",
    DType.INT64: "I64",
    DType.INT32: "I32",
    DType.INT16: "I16",
    DType.INT8: "I8",
    DType.UINT64: "U64",
    DType.UINT32: "U32",
    DType.UINT16: "U16",
    DType.UINT8: "U8",
    DType.BOOL: "BOOL",
    DType.COMPLEX64: "C64",
}
_DTYPES = {code: dtype for dtype, code in _CODES.items()}
_METADATA = "__metadata__"
_MAX_HEADER = 100_000_000
"""The largest header, in bytes, that readers accept."""

DTYPES = frozenset(_CODES)


class _Tensor(msgspec.Struct, frozen=True):
    """The entry of a tensor in the header."""

    dtype: str
    shape: tuple[int, ...]
    data_offsets: tuple[int, int]


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays and `metadata` as one file; an existing file is replaced."""
    del force  # files are always replaced
    if _METADATA in arrays:
        raise OutputError(f"{os.fspath(path)}: the format reserves the name {_METADATA!r}. Use another format.")
    order = sorted(arrays, key=lambda name: -arrays[name].itemsize)
    entries: dict[str, _Tensor] = {}
    start = 0
    for name in order:
        stop = start + arrays[name].nbytes
        entries[name] = _Tensor(_find_code(name, arrays[name]), arrays[name].shape, (start, stop))
        start = stop
    extra = {_METADATA: dict(metadata)} if metadata else {}
    header = msgspec.json.encode({**extra, **{name: entries[name] for name in arrays}})
    header += b" " * (-len(header) % 8)  # the data starts aligned
    with atomic_file(path) as stream:
        stream.write(len(header).to_bytes(8, "little") + header)
        for name in order:
            stream.write(_little_endian_bytes(arrays[name]))


def _find_code(name: str, array: Array) -> str:
    code = _CODES.get(DType.of(array.dtype))
    if code is None:
        raise DTypeError(f"input {name!r}: safetensors files cannot store {array.dtype.name}. Use ONNX test data.")
    return code


def _little_endian_bytes(array: Array) -> memoryview:
    """Return an array's memory in little-endian byte order, copied only if it is not contiguous or in another order."""
    ordered = np.ascontiguousarray(array.astype(array.dtype.newbyteorder("<"), copy=False))
    return ordered.reshape(-1).view(np.uint8).data


def read(path: FilePath) -> dict[str, Array]:
    """Return the tensors of a file, in the header's order."""
    where = os.fspath(path)
    with open(path, "rb") as stream:  # noqa: PTH123 - any path-like
        size = os.fstat(stream.fileno()).st_size
        try:
            start, header = _read_header(stream, size)
            return {name: _read_tensor(stream, start, size, entry) for name, entry in header.items()}
        except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError) as error:
            raise SourceError(f"{where}: not a whole safetensors file of plain values ({error}).") from error


def _read_header(stream: IO[bytes], size: int) -> tuple[int, dict[str, _Tensor]]:
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise ValueError(f"its header would have {length} bytes, the file has {size}")
    header = msgspec.json.decode(stream.read(length), type=dict[str, Any])
    header.pop(_METADATA, None)
    return 8 + length, {name: msgspec.convert(entry, _Tensor) for name, entry in header.items()}


def _read_tensor(stream: IO[bytes], start: int, size: int, entry: _Tensor) -> Array:
    dtype = _DTYPES.get(entry.dtype)
    if dtype is None:
        raise ValueError(f"its dtype {entry.dtype!r} has no counterpart here")
    first, stop = entry.data_offsets
    count = prod(entry.shape)
    inside = min(entry.shape, default=0) >= 0 and 0 <= first <= stop <= size - start
    if not inside or stop - first != count * dtype.itemsize:
        raise ValueError(f"a {entry.dtype} tensor of shape {list(entry.shape)} at bytes {first} to {stop} does not fit")
    stream.seek(start + first)
    values = np.fromfile(stream, dtype.numpy.newbyteorder("<"), count)
    return values.astype(dtype.numpy, copy=False).reshape(entry.shape)
