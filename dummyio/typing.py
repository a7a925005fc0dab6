"""Type aliases that two rooms or more use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["Array", "Axes", "Buckets", "Feeds", "StaticDims"]

Array = np.ndarray[Any, Any]
"""A NumPy array of any dtype and shape."""

Feeds = dict[str, Array]
"""Input path → array: what a runtime is fed with."""

Axes = tuple[int | str | None, ...]
"""A shape as a graph declares it: a size, the name of a dynamic axis, or None for an axis without either."""

StaticDims = str | Sequence[str] | None
"""Dims that get one size in an export, their default: ``"all"``, ``"all_but_batch"``, or names; None for none."""

Buckets = Mapping[str, Iterable[int]] | None
"""Dim → the sizes for which an export gets one signature each."""
