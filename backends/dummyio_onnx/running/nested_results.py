"""Results other than tensors: sequences, maps and optionals, as named arrays."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from dummyio.errors import RunError
from dummyio.typing import Array


def expand_result(name: str, value: Any) -> Iterator[tuple[str, Array]]:
    """Yield the arrays of one output, by name.

    The parts of a sequence are ``name.0``, ``name.1``; an optional without a value yields nothing. A map is the array of its values, in the
    order of its keys, and the maps of a batch (`ZipMap`, https://onnx.ai/onnx/operators/onnx_aionnxml_ZipMap.html) are one array of
    shape (rows, keys).

    Raises
    ------
    RunError
        if the maps of a batch have different keys.
    """
    if value is None:
        return
    if isinstance(value, Mapping):
        yield name, np.asarray(list(value.values()))
    elif isinstance(value, (list, tuple)) and value and all(isinstance(each, Mapping) for each in value):
        yield name, _stack_maps(name, value)
    elif isinstance(value, (list, tuple)):
        for place, each in enumerate(value):
            yield from expand_result(f"{name}.{place}", each)
    else:
        yield name, np.asarray(value)


def _stack_maps(name: str, rows: Sequence[Mapping[Any, Any]]) -> Array:
    keys = list(rows[0])
    for place, row in enumerate(rows):
        if set(row) != set(keys):
            raise RunError(f"{name!r}: the map of row {place} has the keys {list(row)}, and that of row 0 {keys}.")
    return np.asarray([[row[key] for key in keys] for row in rows])
