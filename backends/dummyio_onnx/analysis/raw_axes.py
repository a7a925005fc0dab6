"""The axes of a graph's inputs and outputs as the file has them."""

from __future__ import annotations

import onnx

from dummyio.typing import Axes

__all__ = ["read_raw_axes"]

_NO_NAMES = {"", "?", "*", "-1", "None", "none", "unk", "unknown"}
"""Texts that exporters write where they have no name."""


def read_raw_axes(value: onnx.ValueInfoProto) -> Axes | None:
    """Return the axes of a tensor as the graph has them; None where not even their number is known."""
    tensor = value.type.tensor_type
    return tuple(_raw_axis(dim) for dim in tensor.shape.dim) if tensor.HasField("shape") else None


def _raw_axis(dim: onnx.TensorShapeProto.Dimension) -> int | str | None:
    if dim.HasField("dim_value"):
        return dim.dim_value if dim.dim_value >= 0 else None  # negative: what some exporters write for "any"
    text = f"{dim.dim_param}".strip()  # formatted: what is not UTF-8 comes as bytes
    if text.isdecimal():
        return int(text)
    return None if text in _NO_NAMES else text
