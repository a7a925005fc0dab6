"""ONNX test data: a folder ``test_data_set_N`` with a ``TensorProto`` in ``input_i.pb`` for each input, in order.

The layout that ONNX's backend tests and ``onnx_test_runner`` read, beside the model. All dtypes of ONNX are written in
their own encoding: bfloat16 and 8 bit floats as such, 4 bit integers packed, strings as UTF-8.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from dummyio.atomic_files import atomic_folder
from dummyio.errors import DTypeError, NotInstalledError, OutputError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array

if TYPE_CHECKING:
    from types import ModuleType

__all__ = ["DTYPES", "FILE", "read", "write"]


DTYPES = frozenset(DType) - {
    DType.FLOAT8_E3M4,
    DType.FLOAT8_E4M3,
    DType.FLOAT8_E4M3B11FNUZ,
    DType.INT1,
    DType.UINT1,
}
"""All that ONNX has a type for."""

FILE = re.compile(r"input_(\d+)\.pb")
_MAX_BYTES = (1 << 31) - (1 << 16)
"""A protobuf message holds less than 2 GiB; the rest is for its name and shape."""


def write(
    arrays: Mapping[str, Array],
    path: str | os.PathLike[str],
    *,
    metadata: Mapping[str, str] | None = None,
    force: bool = False,
) -> None:
    """Write arrays as the files of the folder `path`; `force` replaces one that is there."""
    del metadata  # the format has no place for it
    onnx = _import_onnx()
    with atomic_folder(path, force=force) as folder:
        for place, (name, array) in enumerate(arrays.items()):
            (folder / f"input_{place}.pb").write_bytes(_encoded(onnx, name, array))


def _import_onnx() -> ModuleType:
    try:
        import onnx
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "ONNX test data needs onnx, which is not installed. Install it: pip install 'dummyio[onnx]'"
        ) from error
    return onnx


def _encoded(onnx: ModuleType, name: str, array: Array) -> bytes:
    if array.nbytes > _MAX_BYTES:
        raise OutputError(
            f"input {name!r} has {array.nbytes} bytes; a file of ONNX test data holds less than 2 GiB. "
            "Ask for smaller sizes, or use another format."
        )
    try:
        tensor = onnx.numpy_helper.from_array(array, name)
        if onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type) == array.dtype:
            return bytes(tensor.SerializeToString())
    except (KeyError, TypeError, ValueError):  # how onnx says that it does not know a dtype depends on its version
        pass
    raise DTypeError(f"input {name!r}: onnx {onnx.__version__} has no type for {array.dtype.name}. Use another format.")


def read(path: str | os.PathLike[str]) -> dict[str, Array]:
    """Read the inputs of one data set, in their order; one without a name is called ``input_i``."""
    onnx = _import_onnx()
    files = {int(match[1]): file for file in Path(path).iterdir() if (match := FILE.fullmatch(file.name))}
    arrays = {}
    for place, file in sorted(files.items()):
        tensor = onnx.TensorProto()
        try:
            tensor.ParseFromString(file.read_bytes())
            if tensor.data_location == onnx.TensorProto.EXTERNAL:
                raise ValueError("its data is in another file")
            array = onnx.numpy_helper.to_array(tensor)
            dtype = DType.of(array.dtype)
        except Exception as error:  # protobuf and onnx raise what they like on broken input
            raise SourceError(f"{file}: not a whole ONNX tensor ({error}).") from error
        arrays[tensor.name or f"input_{place}"] = array.astype(dtype.numpy)
    return arrays
