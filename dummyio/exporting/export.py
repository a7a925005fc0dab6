"""`export`: from a model to an artifact, with names, order, dynamic sizes and example inputs from its `InputSpec`.

A backend that can write a format has an exporter for it: ``backend.exporters[format]``, a function
``(model, spec, path, *, option=...) -> ExportResult``. Its keyword-only parameters are the options that `export` takes for
that format. It writes at `path`, in an empty temporary folder; the files are moved into place once all are complete.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from dummyio.atomic_files import atomic_files, atomic_folder, check_file_name, check_folder, check_names
from dummyio.backend.formats import FORMATS, Format, choose_format
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import ExportError, OptionError, OutputError, suggest_names, to_path
from dummyio.exporting.artifact import SPEC_SUFFIX, Artifact, ExportResult, spec_path
from dummyio.exporting.companion_files import find_home, withdraw_taken_files, write_companion_files
from dummyio.exporting.folder_content import check_folder_content
from dummyio.exporting.parts.pipeline_models import FILE, is_pipeline, list_pipeline_models
from dummyio.exporting.stages import report_stage
from dummyio.input_spec import InputSpec
from dummyio.option_types import convert_option, convert_options, list_options
from dummyio.running.load_model import load_model

Exporter = Callable[..., ExportResult]
_WEIGHTS = (".safetensors", ".bin", ".pt", ".pth", ".msgpack", ".ckpt", ".gguf", ".index")
_MODELS = frozenset((*_WEIGHTS, *(kind.suffix for kind in FORMATS.values() if kind.suffix and not kind.contains)))
"""The suffixes of artifacts and of weights."""


def export(
    model: Any,
    path: str | os.PathLike[str],
    task: str | None = None,
    *,
    spec: InputSpec | None = None,
    format: str | None = None,  # noqa: A002 - the word that users know
    force: bool = False,
    **options: Any,
) -> Artifact:
    """Write `model` as an artifact, with its configuration and its spec next to it, whole or not at all.

    Parameters
    ----------
    model
        An ``nn.Module``, a pipeline of Diffusers, a Keras model, a ``tf.function`` or ``tf.Module``, a JAX function or module; or what the command line names:
        the folder of a Hugging Face model, a ``.keras`` file, ``file.py:name``.
    path
        Where to write. The suffix chooses the format: ``.onnx``, ``.pt2``, ``.tflite``, ``.pb``, ``.stablehlo``; a path
        without one becomes a folder: a SavedModel, or for a Hugging Face model the ONNX files of its task.
    task
        As in `dummyio.describe`.
    spec
        The inputs; by default they are described from `model`.
    format
        The name of a format, if not that of the suffix.
    force
        Replace existing files; without it nothing is overwritten. A companion file of another model is never replaced, and
        neither is a folder with anything that an export does not write, nor the model's own.
    options
        Options of the format's exporter (``opset=18``, ``quantize="int8"``) and of `dummyio.describe`.

    Returns
    -------
    Artifact
        The files that were written, the spec next to them, and notes.

    Raises
    ------
    ExportError
        if this model cannot be exported to this format; the exporter's own exception is chained.
    OptionError
        for an unknown option, and for a format that the model's framework cannot write.
    OutputError
        if a file exists already, or cannot be written.

    Examples
    --------
    >>> import torch
    >>> spec = InputSpec({"input": TensorSpec("input", (Dim("batch_size", 2), 3))})
    >>> artifact = dummyio.export(torch.nn.Linear(3, 2), "linear.onnx", spec=spec)
    >>> [file.name for file in artifact.files]
    ['linear.onnx', 'linear.onnx.dummyio.json']
    """
    if isinstance(model, (str, os.PathLike)):
        check_target(path, format, force=force, weights=options.get("weights"))  # before the model is loaded
        model, _ = load_model(os.fspath(model), task)
    if is_pipeline(model):
        if task is not None or spec is not None:
            raise OptionError("a pipeline is exported as it is: leave out task and spec, or export one of its models.")
        return _export_pipeline(model, path, format, force=force, options=options)
    prepared = prepare_export(model, path, task, spec=spec, format=format, force=force, **options)
    place = _write_file if prepared.format.suffix else _write_folder
    write = partial(prepared.exporter, model, prepared.spec, **prepared.options)
    written, files = place(write, model, prepared.path, force=force)
    name = prepared.format.name
    return Artifact(
        prepared.path, name, written.spec, tuple(files), written.notes, written.components, written.references
    )


def _export_pipeline(
    pipeline: Any, path: str | os.PathLike[str], format_: str | None, *, force: bool, options: Mapping[str, Any]
) -> Artifact:
    """Write a folder with a sub-folder for each model of a pipeline, and for its tokenizers and its scheduler."""
    target = to_path(path)
    kind = check_target(target, format_, force=convert_option("force", force, bool), framework="pt")
    if kind.name != "onnx_folder":
        raise OptionError(
            f"format={kind.name!r}: a pipeline of several models becomes a folder of ONNX files. Give a path without a suffix, and "
            "format='onnx_folder' or none."
        )
    models = list_pipeline_models(pipeline)
    notes: list[str] = []
    specs: dict[str, InputSpec] = {}
    with atomic_folder(target, force=force, check=check_folder_content) as folder:
        pipeline.save_config(folder)
        for name, part in pipeline.components.items():
            if not callable(getattr(part, "forward", None)) and callable(getattr(part, "save_pretrained", None)):
                part.save_pretrained(folder / name)
        for name, (model, spec) in models.items():
            made = export(model, folder / name / FILE, spec=spec, **options)
            specs[f"{name}/{FILE}"] = made.spec
            notes += (f"{name}: {note}" for note in made.notes)
        files = sorted(list_files(folder))
    first = next((spec for spec in specs.values() if spec.task == "denoising"), next(iter(specs.values())))
    references = {f"{name}/{FILE}": model for name, (model, _) in models.items()}
    return Artifact(target, kind.name, first, tuple(target / file for file in files), tuple(notes), specs, references)


@dataclass(frozen=True, slots=True)
class Preparation:
    """What an export knows before it traces the model."""

    path: Path
    format: Format
    backend: Any
    """That of the model's framework."""
    exporter: Exporter
    options: Mapping[str, Any]
    """The options of the exporter that the caller gave, as their declared types."""
    spec: InputSpec
    """The inputs, before dims are fixed."""


def prepare_export(
    model: Any,
    path: str | os.PathLike[str],
    task: str | None = None,
    *,
    spec: InputSpec | None = None,
    format: str | None = None,  # noqa: A002 - the word that users know
    force: bool = False,
    **options: Any,
) -> Preparation:
    """Return the outcome of the first steps of `export`: target and options checked, exporter found, inputs described.

    Parameters and errors are those of `export`; nothing is written.
    """
    force = convert_option("force", force, bool)
    target = to_path(path)
    kind = check_target(path, format, force=force, framework=detect_framework(model), weights=options.get("weights"))
    _check_home(model, target)
    backend = find_backend(model, kind, spec)
    exporter = find_exporter(backend, model, kind)
    own = convert_options(exporter, {name: options[name] for name in list_options(exporter) if name in options})
    rest = {name: value for name, value in options.items() if name not in own}
    with report_stage("describe", type(model).__name__):
        described = describe_inputs(model, task, spec, rest, exporter)
    return Preparation(target, kind, backend, exporter, own, described)


def find_backend(model: Any, kind: Format, spec: InputSpec | None = None) -> Any:
    """Return the backend of a model's framework; raise `ExportError` if it is of none, and not a function.

    A function whose code does not tell is of the framework that described it.
    """
    described = "jax" if spec is not None and "jax" in spec.provenance else None
    framework = detect_framework(model) or (described or kind.function_of if callable(model) else None)
    if isinstance(model, (str, os.PathLike)):
        raise ExportError(
            f"{os.fspath(model)!r} is an artifact, and `export` takes a model: load it first, with tf.saved_model.load for a "
            "SavedModel. Folders of Hugging Face and .keras files are loaded by their paths."
        )
    if framework is None:
        raise ExportError(f"a {qualified_name(model)} cannot be exported: give a model of a framework, or a function.")
    return load_backend(framework)


def find_exporter(backend: Any, model: Any, kind: Format) -> Exporter:
    """Return the exporter that writes a model in a format; raise `OptionError` if its framework does not write this format."""
    exporters: Mapping[str, Exporter] = getattr(backend, "exporters", {})
    if kind.name not in exporters:
        able = ", ".join(FORMATS[name].suffix or "a folder" for name in exporters) or "no format"
        raise OptionError(
            f"format={kind.name!r}: a {qualified_name(model)} is of framework {backend.name!r}, which writes {able}. "
            "Choose another format, or give another model: an object, not a class or function that makes one."
        )
    return exporters[kind.name]


def describe_inputs(
    model: Any, task: str | None, spec: InputSpec | None, dims: Mapping[str, Any], exporter: Exporter
) -> InputSpec:
    """Return the inputs of a model, or the given ones; a keyword that is unknown is an error that names the exporter's options."""
    from dummyio.describing import describe  # noqa: PLC0415 - lazy: it imports the readers

    try:
        return describe(model if spec is None else spec, task, **dims)
    except OptionError as error:
        unknown = next((name for name in dims if str(error).startswith(f"{name}=")), None)
        if unknown is None:
            raise
        known = suggest_names(unknown, list_options(exporter))
        raise OptionError(f"{error} The exporter has no such option either. {known}") from error


def check_target(
    path: str | os.PathLike[str],
    format: str | None = None,  # noqa: A002 - the word that users know
    *,
    force: bool = False,
    framework: str | None = None,
    weights: bool | None = None,
) -> Format:
    """Return the format that `export` would write at `path`; raise `OutputError` if it would refuse to, before any work.

    Parameters
    ----------
    path, format, force
        As in `export`.
    framework
        The framework of the model, if it is known.
    weights
        False if the artifact is without weights, whose file may be there already.
    """
    target = to_path(path)
    if not os.fspath(path):
        raise OutputError("the path is empty: give the name of the artifact's file or folder.")
    kind = choose_format(target, format, framework)
    if not kind.suffix:
        check_folder(target, force=force)
        check_folder_content(target)
        return kind
    check_file_name(path)
    names = [target.name, spec_path(target).name]
    if kind.name == "onnx" and weights is not False:
        names.append(f"{target.name}.data")
    check_names(target.parent, names, force=force)
    return kind


def _check_home(model: Any, target: Path) -> None:
    """Raise `OutputError` if a folder would replace the one that the model was loaded from."""
    home = find_home(model)
    if home is not None and target.is_dir() and home.resolve().is_relative_to(target.resolve()):
        raise OutputError(
            f"{target}: the model was loaded from this folder, so it is not replaced. Choose another name."
        )


def _write_file(
    write: Callable[[Path], ExportResult], model: Any, target: Path, *, force: bool
) -> tuple[ExportResult, list[Path]]:
    replaced = list_replaced_companions(model, target, force=force)
    with atomic_files(target.parent, force=force) as folder:
        written = write(folder / target.name)
        own = sorted(list_files(folder), key=lambda file: (file != Path(target.name), file))
        made = write_companion_files(model, folder)
        companions, notes = withdraw_taken_files(made, target.parent, replaced.__contains__)
        beside = [spec_path(folder / target.name), *companions]
        written.spec.save(beside[0])
    files = [target.parent / file for file in (*own, *(path.relative_to(folder) for path in beside))]
    return replace(written, notes=(*written.notes, *notes)), files


def list_replaced_companions(model: Any, target: Path, *, force: bool) -> list[Path]:
    """Return the companion files of the artifact at `target` that an export replaces with it: by force, and its own only."""
    alone = force and _is_alone(target, find_home(model))
    return [file for file in target.parent.iterdir() if _is_companion(file, target)] if alone else []


def _is_alone(target: Path, home: Path | None) -> bool:
    """Return whether an artifact exists and no other model is in its folder or in a sub-folder of that."""
    folder = target.parent
    if not target.is_file() or (home is not None and home.resolve() == folder.resolve()):
        return False
    own = (target.name, spec_path(target).name)
    others = (
        file
        for pattern in ("*", "*/*")
        for file in folder.glob(pattern)
        if file.parent != folder or file.name not in own
    )
    return not any(file.suffix.lower() in _MODELS or file.name.endswith(SPEC_SUFFIX) for file in others)


def _is_companion(file: Path, target: Path) -> bool:
    """Return whether a file was written with an artifact: after the artifact and before its spec, as `_write_file` does."""
    try:
        first, made, last = (path.stat().st_mtime_ns for path in (target, file, spec_path(target)))
    except OSError:
        return False
    return first <= made <= last


def _write_folder(
    write: Callable[[Path], ExportResult], model: Any, target: Path, *, force: bool
) -> tuple[ExportResult, list[Path]]:
    former = list_files(target) if target.is_dir() else []
    with atomic_folder(target, force=force, check=check_folder_content) as folder:
        written = write(folder)
        write_companion_files(model, folder)
        written.spec.save(spec_path(folder))
        for name, component in (written.components or {}).items():
            component.save(spec_path(folder / name))
        files = sorted(list_files(folder))
    notes = (*written.notes, *note_removed_files(former, files))
    return replace(written, notes=notes), [target / file for file in files]


def note_removed_files(former: Iterable[Path], files: Iterable[Path]) -> tuple[str, ...]:
    """Return a note on the files of a folder that go with its former content, since the new content does not have them."""
    removed = sorted({*former} - {*files})
    return (f"removed with the former content of the folder: {', '.join(map(str, removed))}",) if removed else ()


def list_files(folder: Path) -> list[Path]:
    """Return the paths of all files in a folder and its sub-folders, relative to it."""
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
