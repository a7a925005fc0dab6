"""What this backend writes: ONNX files and folders of them, and PyTorch's own exported programs."""

from __future__ import annotations

from dummyio_torch.export_onnx import export_onnx
from dummyio_torch.export_pt2 import export_pt2

__all__ = ["exporters"]

exporters = {"onnx": export_onnx, "pt2": export_pt2}
"""Format → function."""
