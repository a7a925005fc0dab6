"""The formats that this backend writes, and their exporters."""

from collections.abc import Callable, Mapping

from dummyio.exporting.artifact import ExportResult
from dummyio_torch.exporting.export_folder import export_folder
from dummyio_torch.exporting.export_onnx import export_onnx
from dummyio_torch.exporting.export_pt2 import export_pt2

EXPORTERS: Mapping[str, Callable[..., ExportResult]] = {
    "onnx": export_onnx,
    "pt2": export_pt2,
    "onnx_folder": export_folder,
}
"""Format → exporter."""
