"""The names of the files that an export of a module writes, from the module and the options alone."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import nn

from dummyio.exporting.onnx_precision import LARGEST_FILE
from dummyio.input_spec import InputSpec
from dummyio_torch.exporting.export_onnx import check_packages
from dummyio_torch.exporting.parts.optimum_components import split_into_components


def plan_files(
    model: nn.Module, spec: InputSpec, path: Path, format_name: str, options: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the names of the files that an exporter writes at a path, without those of specs.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    format_name
        The name of the format.
    options
        The options that its exporter is called with.

    Raises
    ------
    ExportError
        if the model does not have the parts that the format consists of.
    NotInstalledError, OptionError
        as the exporter raises them without its packages, and for an opset that they lack.
    """
    if format_name.startswith("onnx"):
        check_packages(options.get("opset"))
    if format_name == "onnx":
        return _list_onnx_files(path.name, model, options)
    if format_name == "onnx_folder":
        parts = split_into_components(model, spec, past=options.get("past", True))
        return tuple(name for file, (part, _) in parts.items() for name in _list_onnx_files(file, part, options))
    return (path.name,)


def _list_onnx_files(name: str, module: nn.Module, options: Mapping[str, Any]) -> tuple[str, ...]:
    chosen = options.get("external_data")
    has_data = count_weight_bytes(module) > LARGEST_FILE if chosen is None else chosen
    return (name, f"{name}.data") if has_data and options.get("weights", True) else (name,)


def count_weight_bytes(module: nn.Module) -> int:
    """Return the bytes of all parameters and buffers of a module, a shared one once."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*module.parameters(), *module.buffers()))
