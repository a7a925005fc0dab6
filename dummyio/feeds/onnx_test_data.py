"""ONNX test data: a folder ``test_data_set_N`` with a ``TensorProto`` in ``input_i.pb`` for each input, in order.

ONNX's backend tests and ``onnx_test_runner`` read this layout next to the model. All dtypes of ONNX are written in their own
encoding: bfloat16 and 8-bit floats directly, 4-bit integers packed, strings as UTF-8.
"""

import re
import stat
from collections.abc import Mapping
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from dummyio.atomic_files import atomic_folder
from dummyio.errors import DTypeError, DummyioError, NotInstalledError, OutputError, SourceError, format_error_line
from dummyio.materialize.memory_budget import check_budget
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, FilePath, Metadata

_MISSING = {DType.FLOAT8_E3M4, DType.FLOAT8_E4M3, DType.FLOAT8_E4M3B11FNUZ, DType.INT1, DType.UINT1}
DTYPES = frozenset(DType) - _MISSING
"""The dtypes that ONNX has."""

FILE = re.compile(r"input_(\d+)\.pb")
_MAX_BYTES = (1 << 31) - (1 << 16)
"""The largest data: a protobuf message is below 2 GiB, with name and shape."""

_MAX_AXES = 64


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays as the files of the folder `path`; `force` replaces an existing one."""
    del metadata  # the format cannot store it
    onnx = _import_onnx()
    with atomic_folder(path, force=force) as folder:
        for place, (name, array) in enumerate(arrays.items()):
            (folder / f"input_{place}.pb").write_bytes(_encode_tensor(onnx, name, array))


def _import_onnx() -> ModuleType:
    try:
        import onnx  # lazy: only this format needs it
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "ONNX test data needs onnx, which is not installed. Install it: pip install 'dummyio[onnx]'"
        ) from error
    return onnx


def _encode_tensor(onnx: ModuleType, name: str, array: Array) -> bytes:
    if array.nbytes > _MAX_BYTES:
        raise OutputError(
            f"input {name!r} has {array.nbytes} bytes; a file of ONNX test data must be below 2 GiB. "
            "Ask for smaller sizes, or use another format."
        )
    try:
        tensor = onnx.numpy_helper.from_array(array, name)
        if onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type) == array.dtype:
            return bytes(tensor.SerializeToString())
    except (KeyError, TypeError, ValueError):  # which one onnx raises for an unknown dtype depends on its version
        pass
    raise DTypeError(f"input {name!r}: onnx {onnx.__version__} has no type for {array.dtype.name}. Use another format.")


def read(path: FilePath) -> dict[str, Array]:
    """Return the inputs of one data set, in their order; an input without a name is called ``input_i``."""
    onnx = _import_onnx()
    found = ((int(match[1]), file) for file in Path(path).iterdir() if (match := FILE.fullmatch(file.name)))
    arrays: dict[str, Array] = {}
    taken = set()
    for place, file in sorted(found):
        name, array = _read_tensor(onnx, file)
        name = name or f"input_{place}"
        if name in arrays or place in taken:
            raise SourceError(
                f"{file}: input {name!r} is there twice: each file must have a number and a name of its own."
            )
        taken.add(place)
        arrays[name] = array
    return arrays


def _read_tensor(onnx: ModuleType, file: Path) -> tuple[str, Array]:
    """Return the name and the elements of a file's tensor."""
    status = file.stat()
    if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
        raise SourceError(f"{file}: this is not a file.")
    if status.st_size > _MAX_BYTES:
        raise SourceError(f"{file}: {status.st_size} bytes; a file of ONNX test data must be below 2 GiB.")
    check_budget(2 * status.st_size, str(file))
    tensor = onnx.TensorProto()
    try:
        tensor.ParseFromString(file.read_bytes())
        return _check_name(tensor.name), _decode_tensor(onnx, tensor)
    except Exception as error:  # protobuf and onnx raise many types on broken input
        if isinstance(error, DummyioError):
            raise
        raise SourceError(f"{file}: not a whole ONNX tensor ({format_error_line(error)}).") from error


def _check_name(name: str | bytes) -> str:
    if isinstance(name, bytes):
        raise ValueError(f"its name {name!r} is not UTF-8")  # noqa: TRY004 - a wrong value of a file, not a wrong call
    return name


def _decode_tensor(onnx: ModuleType, tensor: Any) -> Array:
    """Return a tensor's elements; raise `ValueError` unless they are all there, and nothing else."""
    if tensor.data_location == onnx.TensorProto.EXTERNAL or tensor.external_data:
        raise ValueError("its data is in another file")
    shape = tuple(tensor.dims)
    if len(shape) > _MAX_AXES or min(shape, default=0) < 0:
        raise ValueError(f"its shape of {len(shape)} axes is not valid")
    if tensor.data_type == onnx.TensorProto.STRING:
        # Not NumPy's own strings, which are all as wide as the longest.
        texts = np.empty(len(tensor.string_data), object)
        texts[:] = [text.decode() for text in tensor.string_data]
        return texts.reshape(shape)
    dtype = DType.of(onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type))
    if tensor.HasField("raw_data") and len(tensor.raw_data) != -(-prod(shape) * dtype.bits // 8):
        raise ValueError(f"it has {len(tensor.raw_data)} bytes for {prod(shape)} elements of {dtype}")
    array = onnx.numpy_helper.to_array(tensor)
    if array.shape != shape:
        raise ValueError(f"its elements have the shape {array.shape}, not {shape}")
    return array.astype(dtype.numpy)
