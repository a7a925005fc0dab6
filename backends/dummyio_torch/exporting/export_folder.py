"""A folder of ONNX files, one for each part of a model, as one runtime needs them: Optimum, Transformers.js or ONNX Runtime GenAI."""

from collections.abc import Container
from pathlib import Path
from typing import Annotated, Any, Literal

from msgspec import Meta
from torch import nn

from dummyio.exporting.artifact import ExportResult
from dummyio.exporting.artifact_check import COARSE_TOLERANCE, TOLERANCE
from dummyio.exporting.folder_content import PARTS
from dummyio.exporting.onnx_precision import OnnxDtype, OnnxQuantization
from dummyio.exporting.parts.genai_config import build_genai_config, write_genai_config
from dummyio.generators.base.context import PAST
from dummyio.huggingface.parts.media_parts import has_placeholders
from dummyio.input_spec import InputSpec
from dummyio.typing import StaticDims
from dummyio_torch.exporting.export_onnx import export_onnx
from dummyio_torch.exporting.parts.media_components import (
    check_joined_parts,
    list_fed_inputs,
    split_into_media_components,
)
from dummyio_torch.exporting.parts.optimum_components import (
    DECODER,
    DECODER_WITH_PAST,
    MODEL,
    Components,
    DecoderStep,
    describe_task,
    split_into_components,
)
from dummyio_torch.exporting.parts.wired_components import check_wired_parts, split_into_wired_components

Layout = Literal["optimum", "single", "transformers.js", "genai"]


def export_folder(  # noqa: PLR0913 - each is an option of its own
    model: nn.Module,
    spec: InputSpec,
    path: Path,
    *,
    past: bool = True,
    merge: bool = False,
    layout: Layout = "optimum",
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
    merge
        Whether an encoder-decoder in Optimum's layout gets ``decoder_model_merged.onnx`` too, for all steps.
    layout
        ``"transformers.js"`` writes into the sub-folder ``onnx``: the decoder of an encoder-decoder as one file for all steps; a model of
        text and images, or sounds, as three files, its encoder, the embeddings of its text, and its decoder. Together these are compared
        with the whole model. ``"genai"``: a decoder with its past, and the configuration by which ONNX Runtime GenAI runs it. ``"single"``:
        the whole model as one file, as ``past=False``.
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
    parts, whole = split_by_layout(model, spec, layout, past=past)
    known = {name for _, own in parts.values() for name in own.dims}
    (path / next(iter(parts))).parent.mkdir(exist_ok=True)
    written = {
        file: export_onnx(part, own, path / file, static=_select_static(static, own, known), **options)
        for file, (part, own) in parts.items()
    }
    notes = tuple(f"{file}: {note}" for file, result in written.items() for note in result.notes)
    specs = {file: result.spec for file, result in written.items()}
    references = {file: part for file, (part, _) in parts.items()}
    tolerance = None if quantize else COARSE_TOLERANCE if dtype else TOLERANCE
    if merge and layout == "optimum":
        notes += _join_steps(path, specs, references, external_data, tolerance, "")
    if layout == "transformers.js":
        notes += _join_steps(path, specs, references, external_data, tolerance, f"{PARTS}/")
        if whole is not None:
            names = {Path(file).stem: file for file in specs}
            files = {name: path / file for name, file in names.items()}
            check = check_joined_parts if has_placeholders(whole) else check_wired_parts
            notes += check(model, whole, files, {name: specs[file] for name, file in names.items()}, tolerance)
            spec = whole
    if layout == "genai":
        write_genai_config(specs[MODEL], MODEL, model, path)
    if list(specs) == [MODEL]:
        return ExportResult(specs[MODEL], notes)
    return ExportResult(spec, notes, specs, references)


def _join_steps(
    path: Path,
    specs: dict[str, InputSpec],
    references: dict[str, nn.Module],
    external_data: bool | None,
    tolerance: float | None,
    folder: str,
) -> tuple[str, ...]:
    """Write one file for the two steps of a decoder, if there are two, and return notes; in a sub-folder in place of the two."""
    from dummyio_torch.exporting.parts.merge_decoders import MERGED, merge_decoders  # noqa: PLC0415 - lazy: it needs onnx

    first, later, merged = (f"{folder}{name}" for name in (DECODER, DECODER_WITH_PAST, MERGED))
    step = references.get(first)
    if not isinstance(step, DecoderStep):
        return ()
    one, other = ((path / name, specs[name]) for name in (first, later))
    references[merged], specs[merged], notes = merge_decoders(step, one, other, external_data, tolerance)
    for name in (first, later) if folder else ():
        del specs[name], references[name]
        for each in (path / name, path / f"{name}.data"):
            each.unlink(missing_ok=True)
    return notes


def split_by_layout(
    model: nn.Module, spec: InputSpec, layout: Layout, *, past: bool
) -> tuple[Components, InputSpec | None]:
    """Return file → module and its spec, and the inputs of the whole model if the files are compared with it as one.

    Raises
    ------
    ExportError
        for a model that a layout has no files for.
    """
    if layout in ("optimum", "single"):
        return split_into_components(model, spec, past=past and layout == "optimum"), None
    if layout == "genai":
        parts = split_into_components(model, spec, past=True)
        build_genai_config(
            next(iter(parts.values()))[1], MODEL, model.config
        )  # before any work, it refuses what the runtime does not run
        return parts, None
    task = (spec.task or "").removesuffix(PAST)
    if past and has_placeholders(spec):
        fed = list_fed_inputs(model, spec)
        feed = {"feed": fed} if fed else {}
        plain, with_past = (describe_task(model, each, spec, **feed) for each in (task, f"{task}{PAST}"))
        if plain is not None and with_past is not None:
            parts = split_into_media_components(model, plain, with_past)
            return {f"{PARTS}/{name}.onnx": part for name, part in parts.items()}, plain
    wired = split_into_wired_components(model, spec)
    if wired is not None:
        return {f"{PARTS}/{name}.onnx": part for name, part in wired[0].items()}, wired[1]
    parts = split_into_components(model, spec, past=past)
    return {f"{PARTS}/{name}": part for name, part in parts.items()}, None


def _select_static(static: StaticDims, spec: InputSpec, known: Container[str]) -> StaticDims:
    """Return the static dims that a part has; names that no part has are kept, so that the export refuses them."""
    if static is None or static in ("all", "all_but_batch"):
        return static
    names = (static,) if isinstance(static, str) else static
    return [name for name in names if name in spec.dims or name not in known]
