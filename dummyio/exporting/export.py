"""`export`: from a model to an artifact, with names, order, dynamic sizes and example inputs from its `InputSpec`.

A backend that can write a format has an exporter for it: ``backend.exporters[format]``, a function
``(model, spec, path, *, option=...) -> Written``. Its keyword-only parameters are the options that `export` takes for that
format. It writes at `path`, in a folder of its own where nothing else is; what it wrote is put into place, with the files
that belong beside it, once all is complete.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dummyio.atomic_files import atomic_files, atomic_folder
from dummyio.backend.formats import FORMATS, Format, choose_format
from dummyio.backend.frameworks import detect_framework, qualified_name
from dummyio.backend.registry import load_backend
from dummyio.errors import ExportError, OptionError, suggest_names
from dummyio.exporting.artifact import Artifact, ExportResult, spec_path
from dummyio.exporting.companion_files import write_companion_files
from dummyio.input_spec import InputSpec

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["export"]


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
    """Write `model` as an artifact, with its configuration and its spec beside it, whole or not at all.

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
        The inputs; described from `model` where not given.
    format
        A format, where the suffix does not say it.
    force
        Replace files that are there; else nothing is overwritten.
    options
        What the format's exporter takes (``opset=18``, ``quantize="int8"``), and what `dummyio.describe` takes.

    Raises
    ------
    ExportError
        where the route does not work for this model; the exporter's own exception is chained.
    OptionError
        for an option that neither the exporter nor the description knows, and a format that the framework cannot write.
    OutputError
        where something is in the way, or cannot be written.
    """
    target = Path(path)
    kind = choose_format(target, format, detect_framework(model))
    exporter = _exporter(model, kind)
    own = {name: value for name, value in options.items() if name in _options(exporter)}
    rest = {name: value for name, value in options.items() if name not in own}
    spec = _described(model, task, spec, rest, exporter)
    write = _export_file if kind.suffix else _export_folder
    return write(model, spec, target, kind, exporter, own, force=force)


def _exporter(model: Any, kind: Format) -> Callable[..., ExportResult]:
    framework = detect_framework(model) or (kind.run_by if callable(model) else None)
    if framework is None:
        raise ExportError(f"a {qualified_name(model)} cannot be exported: give a model of a framework, or a function.")
    backend: Any = load_backend(framework)
    exporters: Mapping[str, Callable[..., ExportResult]] = getattr(backend, "exporters", {})
    if kind.name not in exporters:
        able = ", ".join(FORMATS[name].suffix or "a folder" for name in exporters) or "none"
        raise OptionError(
            f"format={kind.name!r}: a {qualified_name(model)} is of framework {framework!r}, which writes {able}."
        )
    return exporters[kind.name]


def _options(exporter: Callable[..., ExportResult]) -> tuple[str, ...]:
    parameters = inspect.signature(exporter).parameters.values()
    return tuple(parameter.name for parameter in parameters if parameter.kind is parameter.KEYWORD_ONLY)


def _described(
    model: Any, task: str | None, spec: InputSpec | None, dims: Mapping[str, Any], exporter: Callable[..., ExportResult]
) -> InputSpec:
    from dummyio.describing import describe  # noqa: PLC0415 - a spec may be at hand

    try:
        return describe(model if spec is None else spec, task, **dims)
    except OptionError as error:
        unknown = next((name for name in dims if str(error).startswith(f"{name}=")), None)
        if unknown is None:
            raise
        raise OptionError(f"{error} Options of this exporter: {suggest_names(unknown, _options(exporter))}") from error


def _export_file(
    model: Any,
    spec: InputSpec,
    target: Path,
    kind: Format,
    exporter: Callable[..., ExportResult],
    options: Any,
    *,
    force: bool,
) -> Artifact:
    with atomic_files(target.parent, [target.name, spec_path(target).name], force=force) as folder:
        written = exporter(model, spec, folder / target.name, **options)
        own = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
        names = [Path(target.name), *(name for name in own if name != Path(target.name))]
        beside = [spec_path(folder / target.name), *write_companion_files(model, folder)]
        written.spec.save(beside[0])
    files = [target.parent / name for name in (*names, *(path.relative_to(folder) for path in beside))]
    return _artifact(target, kind, written, files)


def _export_folder(
    model: Any,
    spec: InputSpec,
    target: Path,
    kind: Format,
    exporter: Callable[..., ExportResult],
    options: Any,
    *,
    force: bool,
) -> Artifact:
    with atomic_folder(target, force=force) as folder:
        written = exporter(model, spec, folder, **options)
        write_companion_files(model, folder)
        written.spec.save(spec_path(folder))
        for name, component in (written.components or {}).items():
            component.save(spec_path(folder / name))
        names = sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return _artifact(target, kind, written, [target / name for name in names])


def _artifact(target: Path, kind: Format, written: ExportResult, files: list[Path]) -> Artifact:
    return Artifact(
        target, kind.name, written.spec, tuple(files), written.notes, written.components, written.references
    )
