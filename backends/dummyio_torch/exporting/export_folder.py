"""A folder of ONNX files that the ``ORTModelFor...`` classes of Optimum load, one for each part of a model."""

from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta
from torch import nn

from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.onnx_precision import OnnxDtype, OnnxQuantization
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_torch.exporting.export_onnx import export_onnx
from dummyio_torch.exporting.optimum_components import MODEL, split_into_components


def export_folder(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    past: bool = True,
    opset: Annotated[int, Meta(ge=7)] | None = None,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    external_data: bool | None = None,
    optimize: bool = True,
    static: StaticDims = None,
    attention: str | None = None,
    experts: str | None = None,
    rewrite: bool = True,
    dtype: OnnxDtype = None,
    quantize: OnnxQuantization = None,
    calibration_samples: Annotated[int, Meta(ge=1)] = 32,
) -> ExportResult:
    """Write the files of a Transformers model that Optimum runs it by.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting.export`; `spec` is that of the whole model.
    past
        Whether a model that generates text takes its past; without it, each token costs a run over all tokens before it.
        ``False`` writes the whole model as one file, with the inputs of `spec`.
    opset, exporter, external_data, optimize, static, attention, experts, rewrite, dtype, quantize, calibration_samples
        As in `dummyio_torch.exporting.export_onnx.export_onnx`, for all files.

    Raises
    ------
    ExportError
        if the model has no such parts, or one of them cannot be exported.
    """
    options: dict[str, Any] = {
        "opset": opset,
        "exporter": exporter,
        "external_data": external_data,
        "optimize": optimize,
        "attention": attention,
        "experts": experts,
        "rewrite": rewrite,
        "dtype": dtype,
        "quantize": quantize,
        "calibration_samples": calibration_samples,
    }
    parts = split_into_components(model, spec, past=past)
    known = {name for _, own in parts.values() for name in own.dims}
    written = {
        file: export_onnx(part, own, path / file, static=_select_static(static, own, known), **options)
        for file, (part, own) in parts.items()
    }
    notes = tuple(f"{file}: {note}" for file, result in written.items() for note in result.notes)
    if list(written) == [MODEL]:
        return ExportResult(written[MODEL].spec, notes)
    references = {file: part for file, (part, _) in parts.items()}
    return ExportResult(spec, notes, {file: result.spec for file, result in written.items()}, references)


def _select_static(static: StaticDims, spec: InputSpec, known: Container[str]) -> StaticDims:
    """Return the static dims that a part has; names that no part has are kept, so that the export refuses them."""
    if static is None or static in ("all", "all_but_batch"):
        return static
    names = (static,) if isinstance(static, str) else static
    return [name for name in names if name in spec.dims or name not in known]
