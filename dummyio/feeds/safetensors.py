"""One ``.safetensors`` file, with bfloat16 and 8-bit floats, and with the values' origin in its metadata.

The format is a length, a JSON header and the bytes of the tensors; they are written directly from the arrays' memory,
without a copy and without another package. Tensors are in the order of their element sizes, so that each is aligned; the
header keeps the inputs' order. Equal samples give equal bytes.
"""

import json
import os
from collections.abc import Mapping
from math import prod
from typing import IO, Annotated, Any

import msgspec
import numpy as np

from dummyio.atomic_files import atomic_file
from dummyio.errors import DTypeError, DummyioError, MemoryBudgetError, OutputError, SourceError
from dummyio.feeds.npy import fill_array
from dummyio.materialize.memory_budget import check_budget
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
_MAX_HEADER = 10_000_000
"""The largest header that is read, in bytes: the entries of about 100,000 tensors."""

DTYPES = frozenset(_CODES)


_Count = Annotated[int, msgspec.Meta(ge=0, le=(1 << 63) - 1)]


class _Tensor(msgspec.Struct, frozen=True):
    """The entry of a tensor in the header."""

    dtype: str
    shape: Annotated[tuple[_Count, ...], msgspec.Meta(max_length=64)]
    data_offsets: tuple[_Count, _Count]


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays and `metadata` as one file; `force` replaces an existing one."""
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
    with atomic_file(path, force=force) as stream:
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
            _check_places(header, size - start)
            check_budget(size - start, where)
            return {name: _read_tensor(stream, start, entry) for name, entry in header.items()}
        except (msgspec.MsgspecError, ValueError, RecursionError, OverflowError) as error:
            if isinstance(error, DummyioError):
                raise
            raise SourceError(f"{where}: not a whole safetensors file of plain values ({error!s:.400}).") from error
        except MemoryError as error:
            if isinstance(error, DummyioError):
                raise
            raise MemoryBudgetError(f"{where}: the tensors need more memory than the system gives.") from error


def _read_header(stream: IO[bytes], size: int) -> tuple[int, dict[str, _Tensor]]:
    length = int.from_bytes(stream.read(8), "little")
    if size < 8 or length > min(size - 8, _MAX_HEADER):
        raise ValueError(f"its header would have {length} bytes, the file has {size}, and the limit is {_MAX_HEADER}")
    header = json.loads(stream.read(length).decode(), object_pairs_hook=_refuse_repeated)
    header = msgspec.convert(header, dict[str, Any])
    msgspec.convert(header.pop(_METADATA, {}), dict[str, str])
    return 8 + length, {name: msgspec.convert(entry, _Tensor) for name, entry in header.items()}


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return the pairs as a dict; a reader that takes the first of two equal names sees another tensor than one that takes the last."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name in its header is repeated")
    return found


def _check_places(header: Mapping[str, _Tensor], size: int) -> None:
    """Raise `ValueError` unless the tensors fill the data, each byte once, as the format demands."""
    end = 0
    for name, entry in sorted(header.items(), key=lambda item: item[1].data_offsets):
        if not name.encode():  # raises for lone surrogates
            raise ValueError("a name is empty")
        first, stop = entry.data_offsets
        dtype = _DTYPES.get(entry.dtype)
        if dtype is None:
            raise ValueError(f"the dtype {entry.dtype!r:.60} of {name!r:.60} has no counterpart here")
        if min(entry.shape, default=0) < 0 or stop - first != prod(entry.shape) * dtype.itemsize:
            raise ValueError(
                f"a {entry.dtype} tensor of shape {list(entry.shape)!r:.100} does not fit bytes {first} to {stop}"
            )
        if first != end:
            raise ValueError(f"{name!r:.60} starts at byte {first}, and the tensor before it ends at {end}")
        end = stop
    if end != size:
        raise ValueError(f"its tensors have {end} bytes, the file has {size}")


def _read_tensor(stream: IO[bytes], start: int, entry: _Tensor) -> Array:
    dtype = _DTYPES[entry.dtype]
    stream.seek(start + entry.data_offsets[0])
    values = np.empty(prod(entry.shape), dtype.numpy.newbyteorder("<"))
    fill_array(stream, values)
    return values.astype(dtype.numpy, copy=False).reshape(entry.shape)
