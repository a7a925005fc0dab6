"""The options of an export to ONNX, in one object for the functions that carry it out."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OnnxOptions"]


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """The options of `dummyio_torch.exporting.export_onnx.export_onnx` under the same names."""

    opset: int | None = None
    exporter: str = "dynamo"
    external_data: bool | None = None
    optimize: bool = True
    weights: bool = True
    rewrite: bool = True
