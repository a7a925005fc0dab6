"""What NumPy has for a signature: an array of the right shape and dtype that holds no memory."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from dummyio.spec.tensor_spec import TensorSpec

__all__ = ["abstract"]


def abstract(leaves: Mapping[str, TensorSpec]) -> dict[str, np.ndarray[Any, Any]]:
    """Return read-only arrays with one element behind them, at the default sizes of what is symbolic."""
    return {path: np.broadcast_to(np.zeros((), leaf.dtype.numpy), leaf.sizes()) for path, leaf in leaves.items()}
