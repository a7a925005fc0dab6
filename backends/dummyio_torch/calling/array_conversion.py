"""Feeds as tensors of a module, and its results as arrays: always copies, because a module may write on its inputs."""

from collections.abc import Mapping

import numpy as np
import torch

from dummyio.spec.dtypes import DType
from dummyio.typing import Array
from dummyio_torch.tensors import from_numpy, to_numpy


def to_tensors(feeds: Mapping[str, Array], device: torch.device) -> dict[str, torch.Tensor]:
    """Return feeds as tensors on a device."""
    return {path: from_numpy(np.array(v, order="C"), DType.of(v.dtype), device) for path, v in feeds.items()}


def to_arrays(results: Mapping[str, torch.Tensor]) -> dict[str, Array]:
    """Return results as arrays: a result may be an input, a weight, or a view of a module's state."""
    return {name: np.array(to_numpy(value.detach().resolve_conj().resolve_neg())) for name, value in results.items()}
