"""Moved out of dummyio/backend/frameworks.py."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from dummyio.errors import OptionError, SourceError


@dataclass(frozen=True, slots=True)
class Format:
    """A kind of artifact: its name, the framework that runs it, and how its path is recognized."""

    name: str
    framework: str
    suffix: str
    """The file's suffix; empty where the artifact is a folder."""
    holds: str = ""
    """A pattern that some file of a folder of this format matches."""


FORMATS = {
    kind.name: kind
    for kind in (
        Format("onnx", "ort", ".onnx"),
        Format("pt2", "pt", ".pt2"),
        Format("tflite", "tf", ".tflite"),
        Format("pb", "tf", ".pb"),
        Format("stablehlo", "jax", ".stablehlo"),
        Format("saved_model", "tf", "", "saved_model.pb"),
        Format("onnx_folder", "ort", "", "*.onnx"),
    )
}


def detect_path_framework(path: str | os.PathLike[str]) -> str | None:
    """Return the framework that runs what lies at `path`, by suffix or by what a folder holds; None where none does."""
    place = Path(path)
    if place.is_dir():
        return next((kind.framework for kind in FORMATS.values() if kind.holds and any(place.glob(kind.holds))), None)
    return next((kind.framework for kind in FORMATS.values() if kind.suffix and kind.suffix == place.suffix), None)


def choose_format(path: str | os.PathLike[str], name: str | None = None) -> Format:
    """Return the format to write: the one named, else by suffix; without a suffix the format of a folder.

    Raises
    ------
    OptionError
        for a name that is no format.
    SourceError
        for a suffix that no format has.
    """
    suffix = Path(path).suffix
    if name is not None:
        if name not in FORMATS:
            raise OptionError(f"format={name!r} is none: use one of {', '.join(FORMATS)}.")
        return FORMATS[name]
    for kind in FORMATS.values():
        if kind.suffix == suffix:
            return kind
    known = ", ".join(kind.suffix for kind in FORMATS.values() if kind.suffix)
    raise SourceError(
        f"{os.fspath(path)}: no format has the suffix {suffix!r}. Known: {known}, and a folder without one."
    )
