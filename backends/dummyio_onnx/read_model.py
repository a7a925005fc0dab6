"""An ONNX model without its weights: read from a file, checked, and what it declares of its inputs.

Weights in other files are never opened, neither here nor by the description. A model that names a file outside of its own
folder for them is refused, so that nothing opens that file later.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PureWindowsPath

import onnx

from dummyio.errors import SourceError
from dummyio.typing import Axes

_MAX_BYTES = 1 << 31
"""The size of a file that protobuf cannot read any more."""

_NO_NAMES = {"", "?", "*", "-1", "None", "none", "unk", "unknown"}
"""Texts that exporters write for an axis without a name."""


def read_model(source: str | os.PathLike[str] | onnx.ModelProto) -> onnx.ModelProto:
    """Return the model in a file, or the model given, without external data.

    Raises
    ------
    SourceError
        If the source is not a whole ONNX model, or names external data outside of the model's folder.
    """
    if isinstance(source, onnx.ModelProto):
        model, path, where = source, None, "this ModelProto"
    elif isinstance(source, (str, os.PathLike)):
        path, model = Path(source), onnx.ModelProto()
        where = str(path)
        try:
            model.ParseFromString(_read_file(path))
        except SourceError:
            raise
        except Exception as error:  # protobuf's DecodeError, or its name in the next version
            raise SourceError(
                f"{path}: not an ONNX model, or not a whole one ({error}). If it is one, of a newer kind than onnx "
                f"{onnx.__version__} can read: upgrade onnx."
            ) from error
    else:
        raise SourceError(f"a {type(source).__qualname__} is not an ONNX model: give a path or an onnx.ModelProto.")
    # Almost any bytes can be parsed as a message.
    missing = [field for field in ("ir_version", "graph") if not model.HasField(field)]
    if missing or not model.opset_import:
        raise SourceError(f"{where}: not a whole ONNX model: it has no {' and no '.join(missing or ['opset_import'])}.")
    _check_locations(model, where, path)
    return model


def _read_file(path: Path) -> bytes:
    try:
        size = path.stat().st_size
        if path.is_dir():
            raise SourceError(f"{path}: this is a folder. Give the .onnx file in it.")
        if size >= _MAX_BYTES:
            raise SourceError(
                f"{path}: {size} bytes; an ONNX file is smaller than 2 GiB, with larger weights in files next to it."
            )
        return path.read_bytes()
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error


def iterate_graphs(model: onnx.ModelProto) -> Iterator[onnx.GraphProto | onnx.FunctionProto]:
    """Yield the model's graph, its functions, and all graphs in the attributes of their nodes."""
    graphs: list[onnx.GraphProto | onnx.FunctionProto] = [*reversed(model.functions), model.graph]
    while graphs:
        graph = graphs.pop()
        yield graph
        attributes = (attribute for node in graph.node for attribute in node.attribute)
        graphs += [inner for attribute in attributes for inner in (attribute.g, *attribute.graphs) if inner.node]


def find_graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs to feed: before version 4 of the format, weights are among the graph's inputs too."""
    weights = {tensor.name for tensor in graph.initializer} | {part.values.name for part in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in weights]


def read_axes(value: onnx.ValueInfoProto) -> Axes | None:
    """Return the sizes and names of a tensor's axes; None if the graph does not declare the rank."""
    tensor = value.type.tensor_type
    return tuple(map(_read_axis, tensor.shape.dim)) if tensor.HasField("shape") else None


def _read_axis(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None  # some exporters write a negative number for "any"
    text = f"{dim.dim_param}".strip()  # formatted, because protobuf returns names that are not UTF-8 as bytes
    if text.isdecimal():
        return int(text)
    return None if text in _NO_NAMES else text


def format_opsets(model: onnx.ModelProto) -> str:
    """Return the operator sets that a model imports, as text."""
    return ", ".join(f"{opset.domain or 'ai.onnx'} {opset.version}" for opset in model.opset_import)


def _tensors(model: onnx.ModelProto) -> Iterator[onnx.TensorProto]:
    """Yield every tensor that can name external data."""
    for graph in iterate_graphs(model):
        if isinstance(graph, onnx.GraphProto):
            yield from graph.initializer
            for sparse in graph.sparse_initializer:
                yield from (sparse.values, sparse.indices)
        for attribute in (attribute for node in graph.node for attribute in node.attribute):
            if attribute.HasField("t"):
                yield attribute.t
            yield from attribute.tensors


def _check_locations(model: onnx.ModelProto, where: str, path: Path | None) -> None:
    """Raise `SourceError` if external data is outside of the model's folder; no file is opened."""
    checked = set()
    for tensor in _tensors(model):
        if tensor.data_location != onnx.TensorProto.EXTERNAL:
            continue
        location = next((str(entry.value) for entry in tensor.external_data if entry.key == "location"), "")
        if location not in checked and not _is_inside(location, path):
            raise SourceError(
                f"{where}: the data of {tensor.name!r} is declared to be in {location!r}, which is not in the model's folder. "
                "Such a model could read any file: save it again with its data next to it."
            )
        checked.add(location)


def _is_inside(location: str, path: Path | None) -> bool:
    parts = PureWindowsPath(location)  # understands the separators of Windows and of other systems
    if not location or "\0" in location or parts.anchor or ".." in parts.parts:
        return False
    if path is None:
        return True
    # A cache may link both the model and its data to a store, in which they are in one folder.
    roots = (path.parent.resolve(), path.resolve().parent)
    target = (path.parent / location).resolve()
    return any(target.is_relative_to(root) for root in roots)
