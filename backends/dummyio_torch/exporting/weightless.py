"""The structure of a model without its weights: a copy that needs no memory, and a file that refers to absent data."""

import onnx_ir as ir
import torch
from torch import nn

from dummyio_torch.calling.meta_copy import MetaCopy


def copy_without_weights(module: nn.Module) -> nn.Module:
    """Return a copy of the module whose weights have shapes and no memory."""
    return MetaCopy(module, "meta").module


def refer_to_absent_weights(model: ir.Model, data_file: str) -> None:
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
