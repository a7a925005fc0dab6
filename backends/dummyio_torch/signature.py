"""Signatures as meta tensors, which have a shape and a dtype but no memory."""

from collections.abc import Mapping

import torch

from dummyio.spec.tensor_spec import TensorSpec
from dummyio_torch.dtypes import to_native


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, torch.Tensor]:
    """Return path → meta tensor, at the default sizes of the dims; `InputSpec.dynamic_shapes` has their symbols."""
    return {
        path: torch.empty(leaf.sizes(), dtype=to_native(leaf.dtype), device="meta") for path, leaf in leaves.items()
    }
