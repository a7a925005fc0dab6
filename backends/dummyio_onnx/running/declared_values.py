"""The inputs and outputs that a model declares, and the paths that its spec has for them."""

import re
from collections.abc import Iterable, Sequence
from typing import Any

import onnx

from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio_onnx.dtypes import find_dtype
from dummyio_onnx.read_model import PARTS, read_axes
from dummyio_onnx.session_outline import parse_type


def declare_values(values: Iterable[onnx.ValueInfoProto]) -> tuple[DeclaredTensor, ...]:
    """Return a graph's inputs or outputs as it declares them."""
    return tuple(
        DeclaredTensor(value.name, read_axes(value), find_dtype(value.type.tensor_type.elem_type))
        if value.type.WhichOneof("value") == "tensor_type"
        else DeclaredTensor(value.name)
        for value in values
    )


def declare_session_values(values: Iterable[Any], *, expand: bool = False) -> tuple[DeclaredTensor, ...]:
    """Return a session's inputs or outputs, with the tensors of lists if they are to be expanded; a tensor of unknown rank is a scalar."""
    found = []
    for value in values:
        is_list, number = parse_type(value.type)
        names = [f"{value.name}.{place}" for place in range(PARTS)] if expand and is_list else [value.name]
        dtype = None if number is None else find_dtype(number)
        found += [DeclaredTensor(name, tuple(value.shape) or None, dtype) for name in names]
    return tuple(found)


def match_paths(names: Sequence[str], spec: InputSpec | None) -> dict[str, str]:
    """Return name in the model → path in the spec; a name stays as it is if the spec has no path for it.

    Exporters keep a path's dots or write underscores instead; both are found unless that is ambiguous.
    """
    paths = [path for path, _ in spec.leaves] if spec is not None else []
    plain: dict[str, list[str]] = {}
    for path in paths:
        if path not in names:
            plain.setdefault(re.sub(r"\W", "_", path), []).append(path)
    found = {name: [] if name in paths else plain.get(re.sub(r"\W", "_", name), []) for name in names}
    return {name: known[0] if len(known) == 1 else name for name, known in found.items()}
