"""What each of the three says of an artifact."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import dummyio
from dummyio.errors import DummyioError
from planted import peers
from planted.bases import base
from planted.registry import Defect
from planted.sound import Sound


@dataclass(frozen=True)
class Verdict:
    """What was said of one artifact; an empty text is a pass, None that it cannot be asked."""

    name: str
    about: str
    dummyio: str
    torch: str | None
    allclose: str | None
    expected: str = ""
    """The kind and the place of the finding that names a defect."""

    @property
    def is_named(self) -> bool:
        """Whether the defect was found for its own reason."""
        return bool(self.expected) and self.expected in self.dummyio.split(", ")


def of_defect(defect: Defect) -> Verdict:
    """Return what is said of a defect."""
    with _folder() as folder:
        path = folder / "model.onnx"
        defect.write(path)
        found = base(defect.base)
        return Verdict(
            defect.name,
            f"{defect.base}: {defect.about}",
            validated(path, found.module, found.spec, **defect.asked),
            peers.torch_finds(defect.base, path),
            peers.allclose_finds(found.module, found.spec, path),
            defect.finds,
        )


def of_sound(sound: Sound) -> Verdict:
    """Return what is said of a sound export; the others are not asked of what is coarser on purpose."""
    with _folder() as folder:
        try:
            path, reference, spec = sound.write(folder)
        except DummyioError as error:
            return Verdict(sound.name, sound.route, f"not exported: {error}", None, None)
        plain = sound.tolerance is None
        of_torch = plain and sound.route.startswith("PyTorch") and path.suffix == ".onnx"
        return Verdict(
            sound.name,
            sound.route,
            validated(path, reference, spec, tolerance=sound.tolerance),
            peers.torch_finds(sound.name, path) if of_torch else None,
            peers.allclose_finds(reference, spec, path) if plain and spec is not None else None,
        )


def validated(path: Path, reference: Any, spec: Any, **options: Any) -> str:
    """Return kind and place of each finding of `dummyio.validate`; the type of the error, if it refuses to compare."""
    try:
        report = dummyio.validate(path, reference, spec=spec, **options)
    except DummyioError as error:
        return type(error).__name__
    return ", ".join(dict.fromkeys(f"{finding.kind} {finding.where}" for finding in report.errors)) or (
        "" if report.ok else "nothing passed"
    )


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory(prefix="power-") as folder:
        yield Path(folder)
