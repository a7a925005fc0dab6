"""The formats that JAX functions and modules are exported to."""

from collections.abc import Callable, Mapping

from dummyio.exporting.artifact import ExportResult
from dummyio_jax.exporting.export_onnx import export_onnx
from dummyio_jax.exporting.export_stablehlo import export_stablehlo
from dummyio_jax.exporting.export_tensorflow import export_saved_model, export_tflite

EXPORTERS: Mapping[str, Callable[..., ExportResult]] = {
    "stablehlo": export_stablehlo,
    "onnx": export_onnx,
    "saved_model": export_saved_model,
    "tflite": export_tflite,
}
