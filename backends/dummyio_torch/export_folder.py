"""A folder of ONNX files that Optimum's ``ORTModelFor...`` classes load: the parts of `dummyio_torch.components`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from torch import nn

from dummyio.exporting import Written
from dummyio.spec import InputSpec
from dummyio_torch.components import MODEL, components
from dummyio_torch.export_onnx import export_onnx

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
    fixed: Sequence[str] = (),
    attention: str | None = None,
    experts: str | None = None,
) -> Written:
    """Write the files that a model of Transformers' is run by.

    Parameters
    ----------
    model, spec, path
        As in `dummyio.exporting`; `spec` is the whole model's.
    past
        Whether a model that generates takes its past, without which each token costs a run over all before it. ``False``
        writes the whole model as one file, as `spec` has it.
    opset, exporter, external_data, optimize, fixed, attention, experts
        As in `dummyio_torch.export_onnx.export_onnx`, for all files.
    """
    options: dict[str, Any] = {
        "opset": opset,
        "exporter": exporter,
        "external_data": external_data,
        "optimize": optimize,
        "attention": attention,
        "experts": experts,
    }
    parts = components(model, spec, past=past)
    names = (fixed,) if isinstance(fixed, str) else tuple(fixed)
    known = {name for _, own in parts.values() for name in own.dims}
    written = {
        # A name that no part has is every part's to refuse.
        file: export_onnx(
            part, own, path / file, fixed=[n for n in names if n in own.dims or n not in known], **options
        )
        for file, (part, own) in parts.items()
    }
    notes = tuple(f"{file}: {note}" for file, one in written.items() for note in one.notes)
    if list(written) == [MODEL]:
        return Written(written[MODEL].spec, notes)
    references = {file: part for file, (part, _) in parts.items()}
    return Written(spec, notes, {file: one.spec for file, one in written.items()}, references)
