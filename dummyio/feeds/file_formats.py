"""The formats of files that samples are written to, and which one a path means."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dummyio.errors import DTypeError, OptionError, suggest_names
from dummyio.feeds import npy, npz, safetensors
from dummyio.feeds import onnx_test_data as onnx_data
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Array

__all__ = ["FORMATS", "Format", "Writer", "check_dtypes", "choose_format", "sample_paths"]


class Writer(Protocol):
    """Writes one sample, whole or not at all."""

    def __call__(
        self,
        arrays: Mapping[str, Array],
        path: str | os.PathLike[str],
        *,
        metadata: Mapping[str, str] | None = None,
        force: bool = False,
    ) -> None:
        """Write `arrays` to `path`; `force` replaces a folder that is there."""
        ...


@dataclass(frozen=True, slots=True)
class Format:
    """One format: its name, what it can hold, and how it is written and read."""

    name: str
    dtypes: frozenset[DType]
    write: Writer
    read: Callable[[str | os.PathLike[str]], dict[str, Array]]
    suffix: str = ""
    """Of files; empty for a format whose samples are folders."""


FORMATS = {
    kind.name: kind
    for kind in (
        Format("npz", npz.DTYPES, npz.write, npz.read, ".npz"),
        Format("npy", npy.DTYPES, npy.write, npy.read),
        Format("safetensors", safetensors.DTYPES, safetensors.write, safetensors.read, ".safetensors"),
        Format("onnx-test-data", onnx_data.DTYPES, onnx_data.write, onnx_data.read),
    )
}
_ALIASES = {"onnx": "onnx-test-data"}
_DATA_SET = re.compile(r"test_data_set_(\d+)")


def choose_format(path: Path, name: str | None = None) -> Format:
    """Return the format of that name; without one, what the path's last part says.

    Raises
    ------
    OptionError
        for an unknown name, and for a suffix that no format has.
    """
    if name is not None:
        known = _ALIASES.get(name, name)
        if known not in FORMATS:
            raise OptionError(f"format={name!r} is unknown. {suggest_names(name, [*FORMATS, *_ALIASES])}")
        return FORMATS[known]
    if _DATA_SET.fullmatch(path.name):
        return FORMATS["onnx-test-data"]
    for kind in FORMATS.values():
        if kind.suffix and path.suffix == kind.suffix:
            return kind
    if path.is_dir() or not path.suffix:
        return FORMATS["npy"]
    raise OptionError(
        f"{path}: no format has the suffix {path.suffix!r}. Use .npz or .safetensors, a name without a suffix for a folder "
        f"of .npy files, or say format= one of {', '.join(FORMATS)}."
    )


def check_dtypes(kind: Format, leaves: Iterable[tuple[str, TensorSpec]]) -> None:
    """Raise `DTypeError`, with the formats that would do, where `kind` cannot hold an input."""
    needed = {leaf.dtype: path for path, leaf in leaves}
    for dtype, path in needed.items():
        if dtype not in kind.dtypes:
            able = [other.name for other in FORMATS.values() if other.dtypes >= set(needed)]
            able = able or [other.name for other in FORMATS.values() if dtype in other.dtypes]
            remedy = f"Formats that can: {', '.join(able)}." if able else "No format here can."
            raise DTypeError(f"input {path!r} is {dtype}, which format={kind.name!r} cannot hold. {remedy}")


def sample_paths(kind: Format, path: Path, samples: int) -> list[Path]:
    """Return where each sample goes.

    ``inputs.npz`` stands for one sample, ``inputs.0.npz``, ``inputs.1.npz`` ... for several; a folder for one or has one
    for each; ONNX test data is numbered in any case, from the number that the path gives.
    """
    if kind.name == "onnx-test-data":
        numbered = _DATA_SET.fullmatch(path.name)
        folder, first = (path.parent, int(numbered[1])) if numbered else (path, 0)
        return [folder / f"test_data_set_{first + sample}" for sample in range(samples)]
    if samples == 1:
        return [path]
    if kind.suffix:
        return [path.with_name(f"{path.stem}.{sample}{path.suffix}") for sample in range(samples)]
    return [path / str(sample) for sample in range(samples)]
