"""ONNX test data: a folder ``test_data_set_N`` with a ``TensorProto`` in ``input_i.pb`` for each input, in order.

ONNX's backend tests and ``onnx_test_runner`` read this layout next to the model. All dtypes of ONNX are written in their own
encoding: bfloat16 and 8-bit floats directly, 4-bit integers packed, strings as UTF-8.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

from dummyio.atomic_files import atomic_folder
from dummyio.errors import DTypeError, NotInstalledError, OutputError, SourceError
from dummyio.spec.dtypes import DType
from dummyio.typing import Array, FilePath, Metadata

_MISSING = {DType.FLOAT8_E3M4, DType.FLOAT8_E4M3, DType.FLOAT8_E4M3B11FNUZ, DType.INT1, DType.UINT1}
DTYPES = frozenset(DType) - _MISSING
"""The dtypes that ONNX has."""

FILE = re.compile(r"input_(\d+)\.pb")
_MAX_BYTES = (1 << 31) - (1 << 16)
"""The largest data: a protobuf message is below 2 GiB, with name and shape."""


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
        except Exception as error:  # protobuf and onnx raise many types on broken input
            raise SourceError(f"{file}: not a whole ONNX tensor ({error}).") from error
        arrays[tensor.name or f"input_{place}"] = array.astype(dtype.numpy)
    return arrays
