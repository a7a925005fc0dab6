"""`export`: from a model to an artifact, with names, order, dynamic sizes and example inputs from its `InputSpec`.

A backend that can write a format has an exporter for it: ``backend.exporters[format]``, a function
``(model, spec, path, *, option=...) -> ExportResult``. Its keyword-only parameters are the options that `export` takes for
that format. It writes at `path`, in an empty temporary folder; the files are moved into place once all are complete.
"""

import inspect
import os
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from dummyio.atomic_files import atomic_files, atomic_folder
from dummyio.backend.formats import FORMATS, Format, choose_format
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import ExportError, OptionError, suggest_names
from dummyio.exporting.artifact import Artifact, ExportResult, spec_path
from dummyio.exporting.companion_files import write_companion_files
from dummyio.input_spec import InputSpec

Exporter = Callable[..., ExportResult]


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
        An ``nn.Module``, a Keras model, a ``tf.function`` or ``tf.Module``, a JAX function or module.
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
        Replace existing files; without it nothing is overwritten.
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
    ['linear.onnx', 'linear.dummyio.json']
    """
    target = Path(path)
    kind = choose_format(target, format, detect_framework(model))
    exporter = _find_exporter(model, kind)
    own = {name: value for name, value in options.items() if name in _option_names(exporter)}
    rest = {name: value for name, value in options.items() if name not in own}
    spec = _describe_inputs(model, task, spec, rest, exporter)
    place = _write_file if kind.suffix else _write_folder
    written, files = place(partial(exporter, model, spec, **own), model, target, force=force)
    return Artifact(
        target, kind.name, written.spec, tuple(files), written.notes, written.components, written.references
    )


def _find_exporter(model: Any, kind: Format) -> Exporter:
    framework = detect_framework(model) or (kind.run_by if callable(model) else None)
    if framework is None:
        raise ExportError(f"a {qualified_name(model)} cannot be exported: give a model of a framework, or a function.")
    backend: Any = load_backend(framework)
    exporters: Mapping[str, Exporter] = getattr(backend, "exporters", {})
    if kind.name not in exporters:
        able = ", ".join(FORMATS[name].suffix or "a folder" for name in exporters) or "no format"
        raise OptionError(
            f"format={kind.name!r}: a {qualified_name(model)} is of framework {framework!r}, which writes {able}. "
            "Choose another format, or give another model: an object, not a class or function that makes one."
        )
    return exporters[kind.name]


def _option_names(exporter: Exporter) -> list[str]:
    parameters = inspect.signature(exporter).parameters.values()
    return [parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY]


def _describe_inputs(
    model: Any, task: str | None, spec: InputSpec | None, dims: Mapping[str, Any], exporter: Exporter
) -> InputSpec:
    from dummyio.describing import describe  # noqa: PLC0415 - lazy: it imports the readers

    try:
        return describe(model if spec is None else spec, task, **dims)
    except OptionError as error:
        unknown = next((name for name in dims if str(error).startswith(f"{name}=")), None)
        if unknown is None:
            raise
        known = suggest_names(unknown, _option_names(exporter))
        raise OptionError(f"{error} The exporter has no such option either. {known}") from error


def _write_file(
    write: Callable[[Path], ExportResult], model: Any, target: Path, *, force: bool
) -> tuple[ExportResult, list[Path]]:
    with atomic_files(target.parent, [target.name, spec_path(target).name], force=force) as folder:
        written = write(folder / target.name)
        own = sorted(_list_files(folder), key=lambda file: (file != Path(target.name), file))
        beside = [spec_path(folder / target.name), *write_companion_files(model, folder)]
        written.spec.save(beside[0])
    return written, [target.parent / file for file in (*own, *(path.relative_to(folder) for path in beside))]


def _write_folder(
    write: Callable[[Path], ExportResult], model: Any, target: Path, *, force: bool
) -> tuple[ExportResult, list[Path]]:
    with atomic_folder(target, force=force) as folder:
        written = write(folder)
        write_companion_files(model, folder)
        written.spec.save(spec_path(folder))
        for name, component in (written.components or {}).items():
            component.save(spec_path(folder / name))
        files = sorted(_list_files(folder))
    return written, [target / file for file in files]


def _list_files(folder: Path) -> list[Path]:
    return [path.relative_to(folder) for path in folder.rglob("*") if path.is_file()]
