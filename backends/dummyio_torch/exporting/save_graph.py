"""Save an ONNX model: as one file, with its weights in a second one, or without weights.

One file is written while memory holds a copy of one large weight at a time. ONNX's own writer holds the message with all weights, and its
bytes besides: twice the size of the file, in addition to the model. Here the message is made without large weights, and they follow as further fields of its graph, which is the same message:
https://protobuf.dev/programming-guides/encoding/ ("Length-Delimited Records"; the order of fields has no meaning).
"""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnx_ir as ir
import torch

from dummyio.backend.varint import encode_varint
from dummyio.errors import ExportError
from dummyio.exporting.onnx_precision import LARGEST_FILE

_LARGE = 1 << 20
"""Bytes of a weight that is not written with the message."""
_GRAPH, _INITIALIZER, _RAW_DATA = 7, 5, 9
"""Numbers of fields: ``ModelProto.graph``, ``GraphProto.initializer``, ``TensorProto.raw_data``."""


def save_graph(model: ir.Model, path: Path, *, external_data: bool | None, weights: bool) -> None:
    """Save a model with the options of `dummyio_torch.exporting.export_onnx.export_onnx`.

    Raises
    ------
    ExportError
        if the weights are too large for one file, and a second one is not wanted.
    """
    data_file = f"{path.name}.data"
    if not weights:
        _refer_to_absent_weights(model, data_file)
        ir.save(model, path)
        return
    tensors = [value.const_value for value in model.graph.initializers.values()]
    is_large = sum(tensor.nbytes for tensor in tensors if tensor is not None) > LARGEST_FILE
    if is_large and external_data is False:
        raise ExportError("external_data=False: the weights are too large for one file (2 GB). Leave the option out.")
    if is_large or external_data:
        ir.save(model, path, external_data=data_file)
    else:
        write_one_file(model, path)


def _refer_to_absent_weights(model: ir.Model, data_file: str) -> None:
    """Make each weight without memory refer to its place in a data file that does not exist, one after the other."""
    offset = 0
    for name, value in model.graph.initializers.items():
        tensor = value.const_value
        if tensor is not None and _has_no_memory(getattr(tensor, "raw", None)):
            shape = ir.Shape(tensor.shape.numpy())
            value.const_value = ir.ExternalTensor(
                data_file, offset, tensor.nbytes, tensor.dtype, shape=shape, name=name
            )
            offset += tensor.nbytes


def _has_no_memory(raw: object) -> bool:
    return isinstance(raw, torch.Tensor) and (raw.is_meta or hasattr(raw, "fake_mode"))


def write_one_file(model: ir.Model, path: Path) -> None:
    """Write a model with its weights into one file.

    Raises
    ------
    ExportError
        if a weight writes another number of bytes than it states.
    """
    large: dict[str, Any] = {
        name: value.const_value
        for name, value in model.graph.initializers.items()
        if value.const_value is not None and value.const_value.nbytes > _LARGE
    }
    with _small_weights(model, large):
        message = ir.serde.serialize_model(model)
    graph = onnx.GraphProto()
    graph.CopyFrom(message.graph)
    message.ClearField("graph")
    heads = {tensor.name: tensor for tensor in graph.initializer if tensor.name in large}
    small = [tensor for tensor in graph.initializer if tensor.name not in large]
    del graph.initializer[:]
    graph.initializer.extend(small)
    body = graph.SerializeToString(deterministic=True)
    starts = {name: _start_initializer(heads[name], tensor) for name, tensor in large.items()}
    size = len(body) + sum(len(starts[name]) + tensor.nbytes for name, tensor in large.items())
    with path.open("wb") as file:
        file.write(message.SerializeToString(deterministic=True))
        file.write(_start_record(_GRAPH, size) + body)
        for name, tensor in large.items():
            file.write(starts[name])
            begin = file.tell()
            tensor.tofile(file)
            if file.tell() - begin != tensor.nbytes:
                raise ExportError(
                    f"the weight {name!r} wrote {file.tell() - begin} bytes and states {tensor.nbytes}: use external_data=True."
                )


@contextmanager
def _small_weights(model: ir.Model, large: dict[str, Any]) -> Generator[None]:
    """Put empty tensors in the place of large weights."""
    values = model.graph.initializers
    try:
        for name, tensor in large.items():
            empty = ir.tensor(np.empty(0, np.uint8), name=name)
            empty.metadata_props.update(tensor.metadata_props)
            values[name].const_value = empty
        yield
    finally:
        for name, tensor in large.items():
            values[name].const_value = tensor


def _start_initializer(head: onnx.TensorProto, tensor: Any) -> bytes:
    """Return the bytes of an initializer up to its data, which have to follow."""
    head.ClearField("raw_data")
    head.ClearField("dims")
    head.dims.extend(tensor.shape.numpy())
    head.data_type = tensor.dtype.value
    start = head.SerializeToString(deterministic=True) + _start_record(_RAW_DATA, tensor.nbytes)
    return _start_record(_INITIALIZER, len(start) + tensor.nbytes) + start


def _start_record(field: int, size: int) -> bytes:
    """Return the tag and the length of a length-delimited field."""
    return encode_varint(field << 3 | 2) + encode_varint(size)
