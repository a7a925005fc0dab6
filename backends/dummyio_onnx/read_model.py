"""An ONNX model without its weights: read from a file, checked, and what it declares of its inputs.

The contents of weights stay in the file, or in other files, which are never opened.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

import onnx

from dummyio.errors import SourceError
from dummyio.sources.axis_names import is_anonymous
from dummyio.typing import Axes
from dummyio_onnx.external_data import check_external_data
from dummyio_onnx.proto_outline import read_outline

_MAX_BYTES = 1 << 31
"""The size of a file that protobuf cannot read any more."""

_MAX_OPSETS = 10
_MAX_SHOWN = 80

PARTS = 2
"""Tensors of a list: enough to tell what belongs to one of them from what belongs to all."""


def read_model(source: str | os.PathLike[str] | onnx.ModelProto, *, opening: bool = False) -> onnx.ModelProto:
    """Return the outline of the model in a file, without the contents of its weights, or the model given.

    Parameters
    ----------
    source
        A file, or a model in memory.
    opening
        Whether a runtime opens the model next: then its external data must be complete.

    Raises
    ------
    SourceError
        If the source is not a whole ONNX model, or names external data that may not be opened.
    """
    if isinstance(source, onnx.ModelProto):
        model, path, where = source, None, "this ModelProto"
    elif isinstance(source, (str, os.PathLike)):
        path, model = Path(source), onnx.ModelProto()
        where = str(path)
        if path.suffix == ".ort":
            from dummyio_onnx.session_outline import read_session_outline  # noqa: PLC0415 - lazy: an .onnx file needs no runtime

            return read_session_outline(path)
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
    check_external_data(model, path, opening=opening)
    return model


def _read_file(path: Path) -> bytes:
    try:
        status = path.stat()
        if stat.S_ISDIR(status.st_mode):
            raise SourceError(f"{path}: this is a folder. Give the .onnx file in it.")
        if not stat.S_ISREG(status.st_mode):  # a pipe would wait for a writer, a device may never end
            raise SourceError(f"{path}: this is not a regular file. Give an .onnx file.")
        if status.st_size >= _MAX_BYTES:
            raise SourceError(
                f"{path}: {status.st_size} bytes; an ONNX file is smaller than 2 GiB, with larger weights in files next to it."
            )
        with path.open("rb") as file:
            return read_outline(file, status.st_size)
    except SourceError:
        raise
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}).") from error
    except ValueError as error:  # a path with a NUL character
        raise SourceError(f"{str(path)!r}: cannot be read ({error}).") from error


def find_graph_inputs(graph: onnx.GraphProto) -> list[onnx.ValueInfoProto]:
    """Return the inputs to feed: before version 4 of the format, weights are among the graph's inputs too."""
    weights = {tensor.name for tensor in graph.initializer} | {part.values.name for part in graph.sparse_initializer}
    return [value for value in graph.input if value.name not in weights]


def expand_inputs(values: Iterable[onnx.ValueInfoProto]) -> list[onnx.ValueInfoProto]:
    """Return a graph's inputs with the tensors of lists and optionals in their place; what holds no tensors stays as it is.

    A list ``parts`` has the inputs ``parts.0`` and ``parts.1``; an optional tensor is always there.
    """
    found: list[onnx.ValueInfoProto] = []
    for value in values:
        kind = value.type
        while kind.WhichOneof("value") == "optional_type":
            kind = kind.optional_type.elem_type
        is_list = kind.WhichOneof("value") == "sequence_type"
        element = kind.sequence_type.elem_type if is_list else kind
        if element is value.type or element.WhichOneof("value") != "tensor_type":
            found.append(value)
        elif is_list:
            if not element.tensor_type.HasField("shape"):  # its tensors may have any number of axes: one is enough
                element = _give_one_axis(element)
            found += [onnx.helper.make_value_info(f"{value.name}.{place}", element) for place in range(PARTS)]
        else:
            found.append(onnx.helper.make_value_info(value.name, element))
    return found


def _give_one_axis(kind: onnx.TypeProto) -> onnx.TypeProto:
    given = onnx.TypeProto()
    given.CopyFrom(kind)
    given.tensor_type.shape.dim.add()
    return given


def list_parts(values: Iterable[onnx.ValueInfoProto]) -> dict[str, tuple[str, ...]]:
    """Return each list -> the inputs that are its tensors."""
    listed = (value.name for value in values if value.type.WhichOneof("value") != "tensor_type")
    return {name: tuple(f"{name}.{place}" for place in range(PARTS)) for name in listed}


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
    return None if is_anonymous(text) else text


def format_opsets(model: onnx.ModelProto) -> str:
    """Return the operator sets that a model imports, as text."""
    found = [f"{opset.domain or 'ai.onnx'} {opset.version}"[:_MAX_SHOWN] for opset in model.opset_import]
    return ", ".join(found[:_MAX_OPSETS]) + (
        f" and {len(found) - _MAX_OPSETS} more" if len(found) > _MAX_OPSETS else ""
    )
