"""Moved out of backends/dummyio_torch/running/module_runner.py."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.tensors import from_numpy, to_numpy


def to_tensors(feeds: Mapping[str, Array], device: torch.device) -> dict[str, torch.Tensor]:
    """Return feeds as tensors on memory of their own: a module may write on what it is given."""
    return {path: from_numpy(np.array(v, order="C"), DType.of(v.dtype), device) for path, v in feeds.items()}


def to_arrays(results: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Return results as arrays of their own: a result may be an input, a weight, or a view of the module's state."""
    return {name: np.array(to_numpy(value.detach().resolve_conj().resolve_neg())) for name, value in results.items()}
