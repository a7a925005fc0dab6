"""What a model declares to take and to return, under the paths that its spec has for them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import onnx

from dummyio.errors import DTypeError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dtypes import DType
from dummyio_onnx.dtypes import from_native

__all__ = ["input_values", "model_ports", "paths_of", "session_ports"]

_PLAIN = re.compile(r"\W")
_TYPE = re.compile(r"tensor\((\w+)\)")


def model_ports(values: Iterable[onnx.ValueInfoProto]) -> tuple[DeclaredTensor, ...]:
    """Return a graph's inputs or outputs as it declares them."""
    return tuple(_port(value) for value in values)


def input_values(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return what must be fed: before version 4 of the format, weights stand among the inputs too."""
    weights = {tensor.name for tensor in graph.initializer} | {part.values.name for part in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in weights]


def session_ports(values: Iterable[Any]) -> tuple[DeclaredTensor, ...]:
    """Return a session's inputs or outputs; it says of no tensor that its rank is not known, but calls it a scalar."""
    return tuple(DeclaredTensor(value.name, tuple(value.shape) or None, _session_dtype(value.type)) for value in values)


def paths_of(names: Sequence[str], spec: InputSpec | None) -> dict[str, str]:
    """Return name in the model → path in the spec; a name stays where the spec has none for it.

    Exporters write a path's dots as underscores, or keep them; both are found, where that is not ambiguous.
    """
    paths = [path for path, _ in spec.leaves] if spec is not None else []
    others = _matched([name for name in names if name not in paths], [path for path in paths if path not in names])
    return {name: others.get(name, name) for name in names}


def _matched(names: Sequence[str], paths: Sequence[str]) -> dict[str, str]:
    plain: dict[str, list[str]] = {}
    for path in paths:
        plain.setdefault(_PLAIN.sub("_", path), []).append(path)
    found = {name: plain.get(_PLAIN.sub("_", name), []) for name in names}
    return {name: known[0] if len(known) == 1 else name for name, known in found.items()}


def _port(value: onnx.ValueInfoProto) -> DeclaredTensor:
    kind = value.type.tensor_type
    if value.type.WhichOneof("value") != "tensor_type":
        return DeclaredTensor(value.name)
    shape = tuple(_size(dim) for dim in kind.shape.dim) if kind.HasField("shape") else None
    return DeclaredTensor(value.name, shape, _dtype(kind.elem_type))


def _size(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.dim_param:
        return str(dim.dim_param)
    return int(dim.dim_value) if dim.HasField("dim_value") and dim.dim_value >= 0 else None


def _dtype(number: int) -> DType | None:
    try:
        return from_native(number)
    except DTypeError:
        return None


def _session_dtype(text: str) -> DType | None:
    """Return the dtype of ``tensor(float8e4m3fn)``, which is the format's own name for it in small letters."""
    found = _TYPE.fullmatch(text)
    numbers: Mapping[str, int] = dict(onnx.TensorProto.DataType.items())
    return _dtype(numbers.get(found[1].upper(), -1)) if found else None
