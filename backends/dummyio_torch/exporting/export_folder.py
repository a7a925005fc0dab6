"""A folder of ONNX files that Optimum's ``ORTModelFor...`` classes load: the parts of `dummyio_torch.components`."""

from __future__ import annotations

from collections.abc import Container
from pathlib import Path
from typing import Any, Literal

from torch import nn

from dummyio.exporting.artifact import ExportResult
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_torch.exporting.export_onnx import export_onnx
from dummyio_torch.exporting.optimum_components import MODEL, components

__all__ = ["export_folder"]


def export_folder(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    past: bool = True,
    opset: int | None = None,
    exporter: Literal["dynamo", "torchscript"] = "dynamo",
    external_data: bool | None = None,
    optimize: bool = True,
    static: StaticDims = None,
    attention: str | None = None,
    experts: str | None = None,
    rewrite: bool = True,
) -> ExportResult:
    """Write the files that a model of Transformers' is run by.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`; `spec` is the whole model's.
    past
        Whether a model that generates takes its past, without which each token costs a run over all before it. ``False``
        writes the whole model as one file, as `spec` has it.
    opset, exporter, external_data, optimize, static, attention, experts, rewrite
        As in `dummyio_torch.export_onnx.export_onnx`, for all files.
    """
    options: dict[str, Any] = {
        "opset": opset,
        "exporter": exporter,
        "external_data": external_data,
        "optimize": optimize,
        "attention": attention,
        "experts": experts,
        "rewrite": rewrite,
    }
    parts = components(model, spec, past=past)
    known = {name for _, own in parts.values() for name in own.dims}
    written = {
        file: export_onnx(part, own, path / file, static=_own_static(static, own, known), **options)
        for file, (part, own) in parts.items()
    }
    notes = tuple(f"{file}: {note}" for file, one in written.items() for note in one.notes)
    if list(written) == [MODEL]:
        return ExportResult(written[MODEL].spec, notes)
    references = {file: part for file, (part, _) in parts.items()}
    return ExportResult(spec, notes, {file: one.spec for file, one in written.items()}, references)


def _own_static(static: StaticDims, spec: InputSpec, known: Container[str]) -> StaticDims:
    """Return what is static of one part; a name that no part has is every part's to refuse."""
    if static is None or static in ("all", "all_but_batch"):
        return static
    names = (static,) if isinstance(static, str) else static
    return [name for name in names if name in spec.dims or name not in known]
