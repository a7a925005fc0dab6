"""``torch.onnx.export`` to an ``.onnx`` file, by either of its exporters."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

from msgspec import Meta
from torch import nn

from dummyio.errors import NotInstalledError, OptionError
from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.process_state import hold_process_state
from dummyio.typing import StaticDims
from dummyio_torch.calling.private_copy import copy_to_trace
from dummyio_torch.description.describe_module import unwrap_module
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations
from dummyio_torch.exporting.trace_inputs import separate_outputs


def export_onnx(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    opset: Annotated[int, Meta(ge=7)] | None = None,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    external_data: bool | None = None,
    weights: bool = True,
    optimize: bool = True,
    static: StaticDims = None,
    attention: str | None = None,
    experts: str | None = None,
    rewrite: bool = True,
) -> ExportResult:
    """Write a module as an ONNX file that declares the inputs, outputs and dims of the spec.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`.
    opset
        The version of the operators; by default that of the exporter.
    exporter
        ``"dynamo"``, or ``"torchscript"`` for the older one.
    external_data
        Whether the weights are in a second file; by default only if they are too large for one file.
    weights
        False writes the structure only: each weight with its shape, as data of a file that does not exist.
    optimize
        Fold constants and simplify, if the exporter can.
    static
        Dims that have one size in the file, their default: ``"all"``, ``"all_but_batch"``, or names.
    attention, experts
        Implementations to trace with, for Transformers models: ``"eager"``, ``"sdpa"``; ``"batched_mm"``. By default those of
        the model, and others if the export fails with them.
    rewrite
        Whether functions of the model may run with rewritten code during the trace, so that sizes stay symbolic.

    Raises
    ------
    ExportError
        if the module cannot be exported, or the file is not what the spec declares.
    NotInstalledError
        if a package for writing ONNX is not installed.
    OptionError
        for options that the exporter does not support.
    """
    check_packages(opset)
    from dummyio_torch.exporting.write_onnx import OnnxOptions, write_onnx  # noqa: PLC0415 - lazy: needs onnxscript

    spec, notes = fix_dims(separate_outputs(spec), static)
    options = OnnxOptions(opset, exporter, external_data, optimize, weights, rewrite)

    with hold_process_state():
        copied, reasons = copy_to_trace(unwrap_module(model))

        def attempt() -> tuple[str, ...]:
            return write_onnx(copied, spec, path, options)

        tried = try_implementations(copied, attempt, Implementations(attention, experts))
    return ExportResult(spec, (*notes, *reasons, *tried))


def check_packages(opset: int | None) -> None:
    """Raise `NotInstalledError` without the packages that write ONNX, and `OptionError` for an opset that they lack."""
    missing = next((name for name in ("onnx", "onnxscript") if find_spec(name) is None), None)
    if missing is not None:
        raise NotInstalledError(
            f"writing ONNX needs {missing}, which is not installed. Install it: pip install 'dummyio[onnx]'"
        )
    import onnx  # noqa: PLC0415 - lazy: an optional package

    newest = onnx.defs.onnx_opset_version()
    if opset is not None and opset > newest:
        raise OptionError(f"opset={opset}: the installed onnx {onnx.__version__} has opsets up to {newest}.")
