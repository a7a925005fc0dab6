"""What an exporter returns, what `export` returns, and the path of the spec next to an artifact."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dummyio.backend.formats import FORMATS, is_present
from dummyio.errors import DummyioError
from dummyio.input_spec import InputSpec

SPEC_SUFFIX = ".dummyio.json"


PRECISION = "precision"
"""The key of a spec's provenance for an artifact of lower precision: the name of the preset of tolerances for it."""


@dataclass(frozen=True, slots=True)
class ExportResult:
    """The outcome of one exporter."""

    spec: InputSpec
    """The inputs of the artifact: the spec that was given, or a narrower one if the format cannot keep a size dynamic."""

    notes: tuple[str, ...] = ()
    """Sentences for the user: what was narrowed, replaced or worked around, and why."""

    components: Mapping[str, InputSpec] | None = None
    """File name → spec, if the model was written as several files in a folder; `spec` is then the whole model's."""

    references: Mapping[str, Any] | None = None
    """File name → the model that it was made from, for `dummyio.open_runner`; None for the model itself."""


@dataclass(frozen=True, slots=True)
class Artifact:
    """The outcome of `export`."""

    path: Path
    """The file or folder."""

    format: str
    spec: InputSpec
    """Its inputs; also saved next to it."""

    files: tuple[Path, ...]
    """All files that were written, the artifact's own first."""

    notes: tuple[str, ...] = ()
    components: Mapping[str, InputSpec] | None = None
    references: Mapping[str, Any] | None = None
    """These three are the exporter's, see `ExportResult`."""


def record_precision(spec: InputSpec, precision: str | None) -> InputSpec:
    """Return the spec of an artifact of this precision, which is in its provenance; None for full precision."""
    if precision is None:
        return spec
    facts = {**spec.provenance, PRECISION: precision}
    return InputSpec(dict(spec), task=spec.task, outputs=spec.outputs, provenance=facts, proof=spec.proof)


def spec_path(path: str | os.PathLike[str]) -> Path:
    """Return the path of an artifact's spec: ``model.onnx.dummyio.json`` next to ``model.onnx``, ``dummyio.json`` in a folder."""
    place = Path(path)
    return (
        place / SPEC_SUFFIX[1:]
        if is_present(place) and place.is_dir()
        else place.with_name(f"{place.name}{SPEC_SUFFIX}")
    )


def find_spec_path(path: str | os.PathLike[str]) -> Path | None:
    """Return the path of the saved spec of an artifact; None if there is none.

    Earlier versions wrote ``model.dummyio.json`` next to ``model.onnx``. It belongs to this artifact if no other one of this stem lacks a
    spec of its own, or else if it has the inputs that this artifact declares.
    """
    place, present = Path(path), spec_path(path)
    if present.is_file():
        return present
    former = place.with_name(f"{place.stem}{SPEC_SUFFIX}")
    if place.is_dir() or not former.is_file():
        return None
    suffixes = [kind.suffix for kind in FORMATS.values() if kind.suffix and kind.exported_by]
    others = [place.with_suffix(suffix) for suffix in suffixes if suffix != place.suffix]
    is_shared = any(other.is_file() and not spec_path(other).is_file() for other in others)
    return former if not is_shared or _declares_inputs(place, former) else None


def _declares_inputs(place: Path, saved: Path) -> bool:
    """Return whether an artifact declares the inputs of a saved spec; False for a format that declares none."""
    from dummyio.describing import describe  # noqa: PLC0415 - lazy: it imports the readers

    try:
        found, wanted = describe(place, prove="off"), InputSpec.load(saved)
    except DummyioError:
        return False
    return {path for path, _ in found.leaves} == {path for path, _ in wanted.leaves}
