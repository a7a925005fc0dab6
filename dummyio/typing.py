"""Type aliases that several packages use."""

from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from typing import Annotated, Any

import numpy as np
from msgspec import Meta

Array = np.ndarray[Any, Any]
"""A NumPy array of any dtype and shape."""

Feeds = dict[str, Array]
"""Input path → array: the feeds of a runtime."""

Metadata = Mapping[str, str] | None
"""Facts about a sample, by name, that some file formats store."""

FilePath = str | PathLike[str]
"""The path of a file or folder."""

Axes = tuple[int | str | None, ...]
"""A shape as a graph declares it: a size, the name of a dynamic axis, or None for an axis without either."""

StaticDims = str | Sequence[str] | None
"""The dims that an export fixes at their default sizes: ``"all"``, ``"all_but_batch"``, or names; None for none."""

Buckets = Mapping[str, Iterable[Annotated[int, Meta(ge=0)]]] | None
"""Dim → the sizes for which an export gets one signature each."""
