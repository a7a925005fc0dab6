"""What an export to ONNX can be asked for, in one object for the functions that do it."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OnnxOptions"]


@dataclass(frozen=True, slots=True)
class OnnxOptions:
    """The options of `dummyio_torch.export_onnx.export_onnx` under the same names."""

    opset: int | None
    exporter: str
    external_data: bool | None
    optimize: bool
    weights: bool
