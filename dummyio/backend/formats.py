"""The table of artifact formats: how each is recognized, and which framework describes, runs, loads and exports it."""

import os
import stat
from collections.abc import Iterable
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from dummyio.errors import OptionError, SourceError, suggest_names


class Format(NamedTuple):
    """One format. Frameworks go by their short names (`dummyio.backend.frameworks`)."""

    name: str
    suffix: str = ""
    """The suffix of its files; empty for a folder."""
    contains: str = ""
    """A folder has this format if a file in it matches this pattern."""
    main_file: str = ""
    """The file that represents a folder of several."""
    reads: tuple[str, ...] = ()
    """Patterns of the further files of a folder that are read."""
    described_by: str | None = None
    run_by: str | None = None
    loaded_by: str | None = None
    """The framework that makes a model from it, for the command line."""
    exported_by: tuple[str, ...] = ()

    @property
    def function_of(self) -> str | None:
        """The framework of a function that is exported to it and does not tell its own: the one that runs it, or writes it for NumPy."""
        return self.exported_by[0] if self.run_by == "np" else self.run_by


FORMATS = {
    kind.name: kind
    for kind in (
        Format("onnx", ".onnx", described_by="ort", run_by="ort", exported_by=("pt", "tf", "jax")),
        Format("ort", ".ort", described_by="ort", run_by="ort"),
        Format("pt2", ".pt2", run_by="pt", exported_by=("pt",)),
        Format("tflite", ".tflite", described_by="np", run_by="np", exported_by=("tf", "jax")),
        Format("pb", ".pb", described_by="tf", run_by="tf", exported_by=("tf",)),
        Format("stablehlo", ".stablehlo", described_by="jax", run_by="jax", exported_by=("jax",)),
        Format(
            "saved_model",
            "",
            "saved_model.pb",
            reads=("variables/*", "assets/**/*"),
            described_by="tf",
            run_by="tf",
            exported_by=("tf", "jax"),
        ),
        Format("onnx_folder", "", "*.onnx", "model.onnx", described_by="ort", run_by="ort", exported_by=("pt",)),
        Format("keras", ".keras", loaded_by="tf"),
        Format("h5", ".h5", loaded_by="tf"),
        Format(
            "configuration", ".json", "config.json", reads=("*.safetensors", "*.bin", "*.json"), loaded_by="pt"
        ),  # of Hugging Face; `describe` reads it itself
    )
}
"""Name → format. A folder has the first format whose pattern matches."""

REMEDIES = {
    ".pt": "a file of weights or a pickled module: load it with torch.load, and give the module",
    ".pth": "a file of weights or a pickled module: load it with torch.load, and give the module",
    ".bin": "a file of weights: give the folder that it lies in, with its config.json",
    ".safetensors": "a file of weights: give the folder that it lies in, with its config.json",
    ".gguf": "weights in the GGUF format: give the Hugging Face folder that it was converted from",
    ".task": "a bundle of MediaPipe: unzip it, and give a .tflite file of it",
    ".litertlm": "a bundle of LiteRT-LM: give the .tflite files or the Hugging Face folder that it was made from",
    ".mlmodel": "a model of Core ML: give the model that it was converted from, or its .onnx file",
    ".mlpackage": "a model of Core ML: give the model that it was converted from, or its .onnx file",
    ".engine": "an engine of TensorRT, which runs on the machine that built it: give the .onnx file that it was built from",
    ".plan": "an engine of TensorRT, which runs on the machine that built it: give the .onnx file that it was built from",
    ".xml": "a model of OpenVINO, if it is one: give the .onnx file or the model that it was converted from",
    ".pte": "a program of ExecuTorch: give the .pt2 file that it was made from",
    ".vmfb": "a program of IREE: give the .onnx or .stablehlo file that it was compiled from",
}
"""Suffix of files that nothing here reads → what they are, and what to give instead."""


def is_present(path: str | os.PathLike[str]) -> bool:
    """Return whether there is a file or folder; False for a name that the system does not accept: too long, with NUL."""
    return os.path.exists(path)  # noqa: PTH110 - `Path.exists` raises for such names


def detect_path_format(path: str | os.PathLike[str]) -> Format | None:
    """Return the format of a file (by its suffix) or of a folder (by its content); None if no format matches.

    Raises
    ------
    SourceError
        if the file, or one of the folder that the format reads, is a pipe or a device: reading one may never end.
    """
    place = Path(path)
    files: Iterable[Path] = (place,)
    if place.is_dir():
        found = next((kind for kind in FORMATS.values() if kind.contains and any(place.glob(kind.contains))), None)
        if found is not None and found.loaded_by and _has_parts_alone(place):
            found = FORMATS["onnx_folder"]
        if found is not None:
            files = chain.from_iterable(map(place.glob, (found.contains, *found.reads)))
    else:
        found = next((kind for kind in FORMATS.values() if kind.suffix and kind.suffix == place.suffix), None)
    if found is not None:
        for file in files:
            _check_regular_file(file)
    return found


def _has_parts_alone(folder: Path) -> bool:
    """Return whether the folder of a configuration has ONNX files in a sub-folder, and no weights to load."""
    return any(folder.glob("onnx/*.onnx")) and not any(
        chain.from_iterable(map(folder.glob, ("*.safetensors", "*.bin")))
    )


def _check_regular_file(path: Path) -> None:
    """Raise `SourceError` for a pipe, a device or a socket; links are followed, and a missing file is left to its reader."""
    try:
        mode = path.stat().st_mode
    except (OSError, ValueError):
        return
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        shown = os.fspath(path)[-300:]
        raise SourceError(f"{shown}: not a regular file, so it is not read: it may never end. Give the path of a file.")


def choose_format(path: str | os.PathLike[str], name: str | None = None, framework: str | None = None) -> Format:
    """Return the format to export: the named one, else by suffix; a path without one is a folder.

    Parameters
    ----------
    path
        The path of the artifact.
    name
        The name of the format.
    framework
        The framework of the model: chooses among the formats that are folders.

    Raises
    ------
    OptionError
        if `name` is not a format that is exported.
    SourceError
        if no exported format has the suffix.
    """
    exported = {kind.name: kind for kind in FORMATS.values() if kind.exported_by}
    if name is not None:
        if name not in exported:
            raise OptionError(f"format={name!r} is unknown. {suggest_names(name, exported)}")
        return exported[name]
    suffix = Path(path).suffix
    found = [kind for kind in exported.values() if kind.suffix == suffix]
    if not found:
        raise SourceError(
            f"{os.fspath(path)}: no format has the suffix {suffix!r}. "
            f"Use {list_suffixes('exported_by')}, or no suffix for a folder."
        )
    return next((kind for kind in found if framework in kind.exported_by), found[0])


def list_suffixes(capability: str) -> str:
    """Return the suffixes of the files with a capability, for messages: ``"described_by"``, ``"run_by"``, ``"exported_by"``."""
    return ", ".join(kind.suffix for kind in FORMATS.values() if kind.suffix and getattr(kind, capability))
