"""The exporter of each format that TensorFlow models can be written to."""

from collections.abc import Callable, Mapping

from dummyio.exporting.artifact import ExportResult
from dummyio_tensorflow.exporting.export_onnx import export_onnx
from dummyio_tensorflow.exporting.export_saved_model import export_pb, export_saved_model
from dummyio_tensorflow.exporting.export_tflite import export_tflite

EXPORTERS: Mapping[str, Callable[..., ExportResult]] = {
    "saved_model": export_saved_model,
    "pb": export_pb,
    "tflite": export_tflite,
    "onnx": export_onnx,
}
