"""The memory that a Keras file takes, compared with what the file contains before anything is allocated.

A dataset of HDF5 declares its shape at no cost, and so does the configuration of a layer. All values of weights must be
in the file, and layers may make no more of them than there are.
"""

import contextlib
import zipfile
from collections.abc import Generator
from math import prod
from pathlib import Path
from typing import Any

import h5py
import keras

from dummyio.backend.formats import FORMATS
from dummyio.errors import SourceError
from dummyio.materialize.memory_budget import check_budget
from dummyio.process_state import replace_functions
from dummyio_tensorflow.calling.keras_weights import WEIGHTS, iterate_members

_UNCHECKED = 64 << 20
"""Bytes that a file may take whatever it contains."""
_MOST_COMPRESSED = 16
"""How many times its bytes in the file a weight may be: Keras does not compress any."""


def measure_weights(path: Path) -> int:
    """Return the bytes of all weights in a ``.keras`` or ``.h5`` file.

    Raises
    ------
    SourceError
        if a file declares many more than it contains.
    MemoryBudgetError
        if they exceed the budget.
    """
    if path.suffix != FORMATS["keras"].suffix:
        with h5py.File(path, "r") as file:
            return _measure_file(path, file, path.stat().st_size)
    with zipfile.ZipFile(path) as archive:
        if WEIGHTS not in archive.namelist():
            return 0
        stored = archive.getinfo(WEIGHTS)
        _check_size(path, stored.file_size, stored.compress_size)
        with archive.open(WEIGHTS) as stream, h5py.File(stream, "r") as file:
            return _measure_file(path, file, stored.file_size)


def _measure_file(path: Path, file: h5py.File, size: int) -> int:
    datasets = (member for member in iterate_members(file) if isinstance(member, h5py.Dataset))
    total = sum(prod(dataset.shape or ()) * dataset.dtype.itemsize for dataset in datasets)
    _check_size(path, total, size)
    check_budget(total, f"the weights of {path}")
    return total


def _check_size(path: Path, needed: int, stored: int) -> None:
    if needed > max(_UNCHECKED, _MOST_COMPRESSED * stored):
        raise SourceError(
            f"{path}: its weights take {needed} bytes, and the file has {stored}: it is damaged, or made to fill the memory."
        )


@contextlib.contextmanager
def bound_variables(path: Path, stored: int) -> Generator[None]:
    """Raise `SourceError`, before it is allocated, for a variable with which this thread makes more than `stored` bytes."""
    original: Any = keras.Variable.__init__
    made = 0

    def create(self: Any, initializer: Any, shape: Any = None, dtype: Any = None, *rest: Any, **options: Any) -> None:
        nonlocal made
        if shape is not None:
            axes = [int(axis) for axis in ((shape,) if isinstance(shape, int) else shape)]
            made += prod(axes) * _count_bytes(dtype)
            if made > max(_UNCHECKED, stored):
                raise SourceError(
                    f"{path}: its configuration makes weights of {made} bytes or more, and the file has weights of {stored}: "
                    "it is damaged, or made to fill the memory."
                )
        original(self, initializer, shape, dtype, *rest, **options)

    with replace_functions(keras.Variable, __init__=create):
        yield


def _count_bytes(dtype: Any) -> int:
    """Return the bytes of one element that are sure to be needed."""
    name = keras.backend.standardize_dtype(dtype)
    return 1 if name in ("bool", "string") or "8" in name else 2 if "16" in name else 8 if "64" in name else 4
