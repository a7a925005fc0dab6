"""Moved out of dummyio/exporting/export.py."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dummyio.input_spec import InputSpec


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What an exporter wrote."""

    spec: InputSpec
    """What the artifact takes: the spec that was given, or a narrower one where the route cannot keep a size free."""

    notes: tuple[str, ...] = ()
    """What a user should know: what was narrowed, replaced or worked around, and why."""

    components: Mapping[str, InputSpec] | None = None
    """File name → spec, where the model was written as several files in a folder; `spec` is then the whole model's."""

    references: Mapping[str, Any] | None = None
    """File name → what it was made from, as `dummyio.open_runner` takes it; the model itself where it is one file."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """What `export` wrote."""

    path: Path
    """The artifact: a file, or a folder."""

    format: str
    spec: InputSpec
    """What it takes; also saved beside it."""

    files: tuple[Path, ...]
    """All files that were written, the artifact's own first."""

    notes: tuple[str, ...] = ()
    components: Mapping[str, InputSpec] | None = None
    references: Mapping[str, Any] | None = None
    """As in `ExportResult`."""


def spec_path(path: str | os.PathLike[str]) -> Path:
    """Return where the spec of an artifact lies: ``model.dummyio.json`` beside ``model.onnx``, and in a folder ``dummyio.json``."""
    place = Path(path)
    return place / "dummyio.json" if place.is_dir() else place.with_name(f"{place.stem}.dummyio.json")
