"""Signatures for NumPy: arrays of the right shape and dtype that take no memory."""

from collections.abc import Mapping

import numpy as np

from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, Array]:
    """Return path → read-only array with one element in memory, at the default sizes of dims."""
    return {path: np.broadcast_to(np.zeros((), leaf.dtype.numpy), leaf.sizes()) for path, leaf in leaves.items()}
