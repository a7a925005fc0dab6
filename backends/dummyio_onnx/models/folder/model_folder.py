"""What a folder of a model contains: its parts, its configuration, its spec, and what states how it was optimized.

=================================  ===================================================================
``model.onnx``, any single file    a whole model
``encoder_model.onnx``             the encoder of an encoder-decoder
``decoder_model.onnx``             a decoder, or its first step if another file has the further ones
``decoder_with_past_model.onnx``   further steps of a decoder
``decoder_model_merged.onnx``      first and further steps in one graph, which ``use_cache_branch`` chooses
=================================  ===================================================================
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dummyio.backend.formats import FORMATS
from dummyio.errors import OptionError, SourceError, SpecError, suggest_names
from dummyio.exporting.artifact import spec_path
from dummyio.exporting.folder_content import PARTS
from dummyio.input_spec import InputSpec
from dummyio.sources.read_file import is_inside, read_beginning, read_bounded_file, shorten_path

_MAX_BYTES = 16 << 20
MODEL, ENCODER, DECODER, WITH_PAST, MERGED = "model", "encoder", "decoder", "decoder_with_past", "decoder_merged"
EMBEDDING, MEDIA = "embedding", "media"
PART_OPTIONS = {f"{part}_file_name": part for part in (ENCODER, DECODER, WITH_PAST)}
"""Option → the part whose file it names."""
_STEMS = {
    MODEL: ("model",),
    ENCODER: ("encoder_model",),
    DECODER: ("decoder_model",),
    WITH_PAST: ("decoder_with_past_model",),
    MERGED: ("decoder_model_merged",),
    EMBEDDING: ("embed_tokens",),
    MEDIA: ("vision_encoder", "audio_encoder"),
}
_SUFFIXES = ("", "_quantized", "_optimized")
"""Behind the stem of a file, where Optimum's quantizer or optimizer wrote it."""

_ORT_KEYS = frozenset(
    {
        "opset",
        "use_external_data_format",
        "one_external_file",
        "optimization",
        "quantization",
        "optimum_version",
        "transformers_version",
    }
)
"""What the runtime needs nothing for: it describes how the files were made."""


@dataclass(frozen=True)
class ModelFolder:
    """The files of one model, found and read."""

    path: Path
    files: Mapping[str, Path]
    """Part → its file."""

    config: Mapping[str, Any] | None
    generation: Mapping[str, Any] | None
    spec: InputSpec | None
    specs: Mapping[str, InputSpec]
    """Part → the spec next to its file."""

    ort_config: Mapping[str, Any] | None


def read_model_folder(
    source: str | os.PathLike[str], file_name: str | None = None, subfolder: str = "", **names: str | None
) -> ModelFolder:
    """Return the files of a folder, or of the folder of an ONNX file, that make a model.

    Parameters
    ----------
    source
        A folder, or one ``.onnx`` file.
    file_name
        The file of the model, if the folder has several.
    subfolder
        The part of the folder with the ONNX files; the configuration may be in either. By default ``onnx`` if it alone has such files.
    names
        Part → the name of its file, where it is not the usual one.

    Raises
    ------
    SourceError
        if no model is there, a part of it is missing, or several files could be the model.
    """
    place = Path(source)
    if place.is_file():
        if file_name is not None:
            raise OptionError(f"file_name={file_name!r}: {shorten_path(place)} is a file already. Give its folder.")
        place, file_name = place.parent, place.name
    if not place.is_dir():
        raise SourceError(
            f"{shorten_path(place)}: no such folder. Give the folder of an exported model; nothing is downloaded."
        )
    pattern = FORMATS["onnx_folder"].contains
    if not subfolder and not any(place.glob(pattern)) and any((place / PARTS).glob(pattern)):
        subfolder = PARTS
    inner = place / subfolder if subfolder else place
    if subfolder and (not is_inside(subfolder, place / "model") or not inner.is_dir()):
        raise OptionError(f"subfolder={subfolder!r}: {shorten_path(place)} has no such folder.")
    ort_config = _read_json(place, inner, "ort_config.json")
    _check_ort_config(ort_config, inner)
    named = {part: name for part, name in {MODEL: file_name, **names}.items() if name is not None}
    files = _find_files(inner, named)
    config = _read_json(place, inner, "config.json")
    return ModelFolder(
        inner,
        files,
        config,
        _read_json(place, inner, "generation_config.json"),
        _read_spec(place, inner, files),
        {part: found for part, file in files.items() if (found := _load_spec(spec_path(file))) is not None},
        ort_config,
    )


def _find_files(folder: Path, named: Mapping[str, str]) -> dict[str, Path]:
    present = {file.name: file for file in sorted(folder.glob(FORMATS["onnx_folder"].contains))}
    if named:
        for part, name in named.items():
            if name not in present:
                option = "file_name" if part == MODEL else f"{part}_file_name"
                remedy = suggest_names(name, present) if present else "It has no .onnx file."
                raise OptionError(f"{option}={name!r}: {shorten_path(folder)} has no such ONNX file. {remedy}")
        files = {part: present[name] for part, name in named.items()}
        if MODEL not in named:
            files = {**_find_parts(folder, present), **files}
            files.pop(MODEL, None)
        return _check_parts(folder, _rename_single_decoder(files))
    return _check_parts(folder, _rename_single_decoder(_find_parts(folder, present)))


def _find_parts(folder: Path, present: Mapping[str, Path]) -> dict[str, Path]:
    if not present:
        raise SourceError(
            f"{shorten_path(folder)}: this folder has no .onnx file. Export the model into it: dummyio.export(model, folder)."
        )
    found: dict[str, Path] = {}
    for part, stems in _STEMS.items():
        fitting = [f"{stem}{suffix}.onnx" for stem in stems for suffix in _SUFFIXES]
        here = [name for name in fitting if name in present]
        if len(here) > 1:
            option = "file_name" if part == MODEL else f"{part}_file_name"
            raise SourceError(
                f"{shorten_path(folder)}: {' and '.join(here)} could both be the {part}. Choose one: {option}={here[0]!r}."
            )
        if here:
            found[part] = present[here[0]]
    if EMBEDDING not in found:  # an encoder of images alone is a part of models that are not run here
        found.pop(MEDIA, None)
    if found:
        return found
    if len(present) > 1:
        raise SourceError(
            f"{shorten_path(folder)}: it has several models, {', '.join(present)}, and none has a usual name. Choose one with "
            "file_name=."
        )
    return {MODEL: next(iter(present.values()))}


def _rename_single_decoder(files: dict[str, Path]) -> dict[str, Path]:
    """Return the parts of a decoder without an encoder as what they are: a whole model."""
    if ENCODER in files or MODEL in files or EMBEDDING in files:
        return files
    if set(files) == {DECODER} or set(files) == {MERGED} or set(files) == {DECODER, MERGED}:
        return {MODEL: files.get(MERGED, files.get(DECODER, Path()))}
    return files


def _check_parts(folder: Path, files: dict[str, Path]) -> dict[str, Path]:
    """Return the parts that are opened; raise `SourceError` if one is missing, or two contradict each other."""
    names = {part: file.name for part, file in files.items()}
    decoders = {DECODER, WITH_PAST, MERGED} & set(files)
    if MODEL in files and (ENCODER in files or decoders):
        others = ", ".join(name for part, name in names.items() if part != MODEL)
        raise SourceError(
            f"{shorten_path(folder)}: {names[MODEL]} is a whole model, and {others} are parts of one. Choose the whole model "
            f"with file_name={names[MODEL]!r}, or move it away."
        )
    if MODEL in files:
        return files
    missing = None
    if EMBEDDING in files and not {MEDIA, MERGED} <= set(files):
        missing = f"{names[EMBEDDING]} needs vision_encoder.onnx or audio_encoder.onnx, and decoder_model_merged.onnx, and one"
    elif ENCODER in files and not decoders:
        missing = f"{names[ENCODER]} has no decoder: decoder_model.onnx or decoder_model_merged.onnx"
    elif WITH_PAST in files and MERGED not in files and DECODER not in files:
        missing = f"{names[WITH_PAST]} has no first step: decoder_model.onnx"
    if missing is not None:
        raise SourceError(
            f"{shorten_path(folder)}: {missing} is missing. Export the model again, with all its parts: "
            "dummyio.export(model, folder)."
        )
    if MERGED in files:  # it has the steps of both others
        return {part: file for part, file in files.items() if part not in (DECODER, WITH_PAST)}
    return files


def _read_spec(folder: Path, inner: Path, files: Mapping[str, Path]) -> InputSpec | None:
    """Return the spec of the whole model: next to its file, or that of the folder, or of the part of it with the files."""
    places = [spec_path(files[MODEL])] if MODEL in files else []
    for place in (*places, inner / "dummyio.json", folder / "dummyio.json"):
        found = _load_spec(place)
        if found is not None:
            return found
    return None


def _load_spec(place: Path) -> InputSpec | None:
    if not os.path.lexists(place):  # a link that leads nowhere is there, and cannot be read
        return None
    read_beginning(place, 0)  # raises for what is not a file
    try:
        return InputSpec.load(place)
    except SpecError as error:
        raise SourceError(f"{shorten_path(place)}: the spec next to the model is not valid: {error}") from error


def _read_json(place: Path, inner: Path, name: str) -> Mapping[str, Any] | None:
    # A link that leads nowhere, or to a device, is there and cannot be read: a folder without it would be another model.
    path = next((folder / name for folder in (inner, place) if os.path.lexists(folder / name)), None)
    if path is None:
        return None
    try:
        values = json.loads(read_bounded_file(path, _MAX_BYTES))
    except (ValueError, RecursionError) as error:
        if isinstance(error, SourceError):
            raise
        raise SourceError(f"{shorten_path(path)}: not valid JSON ({error}).") from None
    if not isinstance(values, dict):
        raise SourceError(f"{shorten_path(path)}: a JSON object is due here, not a {type(values).__name__}.")
    return values


def _check_ort_config(values: Mapping[str, Any] | None, folder: Path) -> None:
    """Raise `SourceError` for a statement that this class does not obey."""
    for name, value in (values or {}).items():
        if name not in _ORT_KEYS and value not in (None, {}, [], False):
            raise SourceError(
                f"{shorten_path(folder / 'ort_config.json')}: {name!r} is not obeyed here. {suggest_names(name, _ORT_KEYS)} "
                "Remove it, or load the folder with Optimum."
            )
