"""Read an ONNX model without its weights, and refuse what is none or reaches out of its folder.

Weights in other files are never opened, here or by what is described here; but a model that names a file outside of its own
folder for them is refused, before anything later follows it there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PureWindowsPath

import onnx

from dummyio.errors import SourceError

__all__ = ["graphs", "read_model"]

_MAX_BYTES = 1 << 31
"""What a protobuf message can hold."""


def read_model(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in a file, or the one given, without external data.

    Raises
    ------
    SourceError
        for what is no ONNX model or is cut short, and for external data outside of the model's folder.
    """
    if isinstance(source, onnx.ModelProto):
        _check_model(source, "this ModelProto")
        _check_locations(source, "this ModelProto", None)
        return source
    if not isinstance(source, (str, os.PathLike)):
        raise SourceError(f"a {type(source).__qualname__} is no ONNX model: give a path or an onnx.ModelProto.")
    path = Path(source)
    model = onnx.ModelProto()
    try:
        model.ParseFromString(_content(path))
    except Exception as error:  # protobuf's DecodeError, or what its next version calls it
        raise SourceError(
            f"{path}: not an ONNX model, or not a whole one ({error}). If it is one, of a newer kind than onnx "
            f"{onnx.__version__} can read: upgrade onnx."
        ) from error
    _check_model(model, str(path))
    _check_locations(model, str(path), path)
    return model


def _content(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise SourceError(f"{path}: this is a folder. Give the .onnx file in it.")
        if size >= _MAX_BYTES:
            raise SourceError(
                f"{path}: {size} bytes; an ONNX file is smaller than 2 GiB, with larger weights beside it."
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error


def _check_model(model: onnx.ModelProto, where: str) -> None:
    """Refuse what parses only because almost any bytes do."""
    missing = [field for field in ("ir_version", "graph") if not model.HasField(field)]
    if missing or not model.opset_import:
        raise SourceError(f"{where}: not a whole ONNX model: it has no {' and no '.join(missing or ['opset_import'])}.")


def graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto]:
    """Yield the model's graph and all graphs in it."""
    yield model.graph
    yield from _inner(model.graph.node)
    for function in model.functions:
        yield from _inner(function.node)


def _inner(nodes: Iterable[onnx.NodeProto]) -> Iterator[onnx.GraphProto]:
    for node in nodes:
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                if graph.node:
                    yield graph
                    yield from _inner(graph.node)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that can name external data."""
    nodes: list[Iterable[onnx.NodeProto]] = [function.node for function in model.functions]
    for graph in graphs(model):
        nodes.append(graph.node)
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    for node in (node for group in nodes for node in group):
        for attribute in node.attribute:
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_locations(model: onnx.ModelProto, where: str, path: Path | None) -> None:
    """Raise `SourceError` where external data lies outside of the model's folder; nothing is opened."""
    checked = set()
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((str(entry.value) for entry in tensor.external_data if entry.key == "location"), "")
        if location in checked:
            continue
        checked.add(location)
        if not _is_inside(location, path):
            raise SourceError(
                f"{where}: the data of {tensor.name!r} is said to be in {location!r}, which is not in the model's folder. "
                "Such a model could read any file; save it again with its data beside it."
            )


def _is_inside(location: str, path: Path | None) -> bool:
    parts = PureWindowsPath(location)  # knows the separators of both worlds
    if not location or "\0" in location or parts.anchor or ".." in parts.parts:
        return False
    if path is None:
        return True
    # A cache may link both the model and its data to a store: then they are together there.
    roots = (path.parent.resolve(), path.resolve().parent)
    target = (path.parent / location).resolve()
    return any(target.is_relative_to(root) for root in roots)
