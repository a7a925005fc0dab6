"""`plan_export`: the files, inputs, dims and options of an export that is not carried out."""

import inspect
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dummyio.backend.formats import FORMATS
from dummyio.exporting.artifact import SPEC_SUFFIX
from dummyio.exporting.companion_files import withdraw_taken_files, write_companion_files
from dummyio.exporting.export import (
    Preparation,
    list_files,
    list_replaced_companions,
    note_removed_files,
    prepare_export,
)
from dummyio.exporting.static_dims import fix_dims, split_into_buckets
from dummyio.input_spec import InputSpec
from dummyio.option_types import list_options


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """An export that was not carried out."""

    path: Path
    format: str
    spec: InputSpec
    """The inputs of the artifact, with the dims fixed that the options name."""

    files: Mapping[Path, bool]
    """All files that would be written, the artifact's own first → whether one is there, which would be replaced."""

    options: Mapping[str, Any]
    """All options of the exporter, with the values that were given, else their defaults."""

    notes: tuple[str, ...] = ()
    """Sentences for the user: dims that would be fixed, companion files that would be left as they are."""


def plan_export(model: Any, path: str | os.PathLike[str], task: str | None = None, **options: Any) -> ExportPlan:
    """Return the plan of `dummyio.export` with the same arguments; nothing is written, and the model is not traced.

    Raises
    ------
    OptionError, OutputError, SourceError, NotInstalledError
        where `dummyio.export` raises them before the trace.
    """
    force = bool(options.get("force", False))
    prepared = prepare_export(model, path, task, **options)
    given = prepared.options
    fixed, notes = fix_dims(prepared.spec, given.get("static"))
    fixed, _, more = split_into_buckets(fixed, given.get("buckets"))
    names = _list_names(model, prepared)
    folder = prepared.path.parent if prepared.format.suffix else prepared.path
    companions, kept = _list_companions(model, prepared, force=force)
    files = {folder / name: (folder / name).is_file() for name in (*names, *companions)}
    if not prepared.format.suffix and prepared.path.is_dir():
        kept = (*kept, *note_removed_files(list_files(prepared.path), map(Path, (*names, *companions))))
    return ExportPlan(
        prepared.path,
        prepared.format.name,
        fixed,
        files,
        _complete_options(prepared.exporter, given),
        (*notes, *more, *kept),
    )


def _complete_options(exporter: Callable[..., Any], given: Mapping[str, Any]) -> dict[str, Any]:
    parameters = inspect.signature(exporter).parameters
    return {name: given.get(name, parameters[name].default) for name in list_options(exporter)}


def _list_names(model: Any, prepared: Preparation) -> list[str]:
    """Return the names of an artifact's own files and of its specs, relative to its folder."""
    plan: Callable[..., tuple[str, ...]] | None = getattr(prepared.backend, "plan_files", None)
    if plan is not None:
        own = list(plan(model, prepared.spec, prepared.path, prepared.format.name, prepared.options))
    else:
        own = (
            [prepared.path.name] if prepared.format.suffix else [prepared.format.main_file or prepared.format.contains]
        )
    if prepared.format.suffix:
        return [*own, f"{prepared.path.name}{SPEC_SUFFIX}"]
    parts = [name for name in own if name.endswith(FORMATS["onnx"].suffix)]
    specs = [f"{name}{SPEC_SUFFIX}" for name in parts] if len(parts) > 1 else []
    return [*own, SPEC_SUFFIX[1:], *specs]


def _list_companions(model: Any, prepared: Preparation, *, force: bool) -> tuple[list[str], tuple[str, ...]]:
    """Return the names of the companion files, and notes on those that would stay as they are."""
    with tempfile.TemporaryDirectory(prefix="dummyio-plan-") as scratch:  # a model writes its configuration as it likes
        made = write_companion_files(model, Path(scratch))
        if not prepared.format.suffix or not prepared.path.parent.is_dir():
            return [file.name for file in made], ()
        replaced = list_replaced_companions(model, prepared.path, force=force)
        kept, notes = withdraw_taken_files(made, prepared.path.parent, replaced.__contains__)
        return [file.name for file in kept], notes
