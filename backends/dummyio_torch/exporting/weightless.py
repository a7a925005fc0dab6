"""A model's structure without its weights: a copy on stand-ins, and a file that names weights which are not there."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import onnx
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensor

from dummyio_torch.calling.meta_copy import MetaCopy

__all__ = ["save_structure", "without_weights"]


def without_weights(module: nn.Module) -> nn.Module:
    """Return a copy of the module whose weights have shapes and no memory."""
    return MetaCopy(module, "meta").module


def save_structure(program: Any, path: Path) -> None:
    """Write an exported program with each weight as data of a file beside, which is not written.

    The places in that file are those that the weights would have, one behind the other.
    """
    graph = program.model.graph
    absent = {name: value for name, value in graph.initializers.items() if _is_absent(value.const_value)}
    for name in absent:
        del graph.initializers[name]
    program.save(path)
    model = onnx.load(path, load_external_data=False)
    offset = 0
    for name, value in absent.items():
        size = prod(value.shape) * value.dtype.itemsize
        tensor = model.graph.initializer.add(name=name, dims=list(value.shape), data_type=int(value.dtype))
        tensor.data_location = onnx.TensorProto.EXTERNAL
        places = {"location": f"{path.name}.data", "offset": str(offset), "length": str(int(size))}
        for key, text in places.items():
            tensor.external_data.add(key=key, value=text)
        offset += int(size)
    path.write_bytes(model.SerializeToString())


def _is_absent(tensor: Any) -> bool:
    raw = getattr(tensor, "raw", None)
    return isinstance(raw, FakeTensor) or (isinstance(raw, torch.Tensor) and raw.is_meta)
