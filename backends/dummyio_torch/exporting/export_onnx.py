"""``torch.onnx.export`` to an ``.onnx`` file, by either of its exporters."""

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Literal

import torch
from msgspec import Meta
from torch import nn

from dummyio.errors import NotInstalledError, OptionError
from dummyio.exporting.artifact import ExportResult, record_precision
from dummyio.exporting.onnx_precision import OnnxDtype, OnnxPrecision, OnnxQuantization
from dummyio.exporting.static_dims import fix_dims
from dummyio.input_spec import InputSpec
from dummyio.process_state import hold_process_state
from dummyio.sources.proof.spec_changes import map_leaves
from dummyio.spec.dtypes import DType
from dummyio.typing import StaticDims
from dummyio_torch.calling.meta_copy import check_packed_weights
from dummyio_torch.calling.private_copy import cast_weights, copy_to_trace
from dummyio_torch.description.describe_module import unwrap_module
from dummyio_torch.exporting.implementation_fallback import Implementations, try_implementations
from dummyio_torch.exporting.tracing.trace_inputs import separate_outputs
from dummyio_torch.exporting.weight_kinds import check_weights


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
    dtype: OnnxDtype = None,
    quantize: OnnxQuantization = None,
    calibration_samples: Annotated[int, Meta(ge=1)] = 32,
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
    dtype
        ``"fp16"``: weights and arithmetic in half precision, inputs and outputs as they are; ``"bf16"``: all real numbers in bfloat16,
        for devices that have its kernels.
    quantize
        ``"dynamic"``: weights in 8 bits; ``"int8"``: the activations of products and convolutions too, with ranges measured on samples of
        the spec (QDQ, a scale for each channel).
    calibration_samples
        The number of these samples.

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

    precision = OnnxPrecision(dtype, quantize, calibration_samples)
    if precision.name and not weights:
        raise OptionError("weights=False: a file without weights has no precision; leave out dtype= and quantize=.")
    spec, notes = fix_dims(separate_outputs(spec), static)
    model = unwrap_module(model)
    check_packed_weights(model)
    if weights:
        check_weights(model, remedy=", or export the structure alone with weights=False")
    options = OnnxOptions(opset, exporter, external_data, optimize, weights, rewrite, precision)

    with hold_process_state():
        copied, reasons = copy_to_trace(model)
        if dtype == "bf16":
            copied, spec = cast_weights(copied, torch.bfloat16), _cast_floats(spec, DType.BFLOAT16)

        def attempt() -> tuple[str, ...]:
            return write_onnx(copied, spec, path, options)

        tried = try_implementations(copied, attempt, Implementations(attention, experts))
    return ExportResult(record_precision(spec, precision.name), (*notes, *reasons, *tried))


def _cast_floats(spec: InputSpec, dtype: DType) -> InputSpec:
    """Return the spec with its real numbers in another dtype."""
    return map_leaves(spec, lambda _, leaf: leaf.replace(dtype=dtype) if leaf.dtype.kind == "float" else leaf)


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
