"""The formats that TensorFlow's models are written in."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from dummyio.exporting import Written
from dummyio_tensorflow.export_onnx import export_onnx
from dummyio_tensorflow.export_saved_model import export_pb, export_saved_model
from dummyio_tensorflow.export_tflite import export_tflite

__all__ = ["EXPORTERS"]

EXPORTERS: Mapping[str, Callable[..., Written]] = {
    "saved_model": export_saved_model,
    "pb": export_pb,
    "tflite": export_tflite,
    "onnx": export_onnx,
}
