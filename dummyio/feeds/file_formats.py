"""The file formats of samples, and the choice of one by a path."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from dummyio.backend.formats import is_present
from dummyio.errors import DTypeError, OptionError, suggest_names
from dummyio.feeds import npy, npz, onnx_test_data, safetensors
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.typing import Feeds, FilePath


@dataclass(frozen=True, slots=True)
class Format:
    """A file format of samples."""

    name: str
    dtypes: frozenset[DType]
    """The dtypes that it can store."""
    write: Callable[..., None]
    """``write(arrays, path, metadata=, force=)`` writes one sample, whole or not at all; `force` replaces a folder."""
    read: Callable[[FilePath], Feeds]
    suffix: str = ""
    """The suffix of files; empty for a format whose samples are folders."""


FORMATS = {
    kind.name: kind
    for kind in (
        Format("npz", npy.DTYPES, npz.write, npz.read, ".npz"),
        Format("npy", npy.DTYPES, npy.write, npy.read),
        Format("safetensors", safetensors.DTYPES, safetensors.write, safetensors.read, ".safetensors"),
        Format("onnx-test-data", onnx_test_data.DTYPES, onnx_test_data.write, onnx_test_data.read),
    )
}
_ALIASES = {"onnx": "onnx-test-data"}
_DATA_SET = re.compile(r"test_data_set_(\d+)")


def choose_format(path: Path, name: str | None = None) -> Format:
    """Return the format of this name, else the one that the path's last part implies; raise `OptionError` if there is none."""
    if name is not None:
        known = _ALIASES.get(name, name) if isinstance(name, str) else repr(name)
        if known not in FORMATS:
            raise OptionError(f"format={name!r} is unknown. {suggest_names(name, [*FORMATS, *_ALIASES])}")
        return FORMATS[known]
    if _DATA_SET.fullmatch(path.name):
        return FORMATS["onnx-test-data"]
    for kind in FORMATS.values():
        if kind.suffix and path.suffix == kind.suffix:
            return kind
    if not path.suffix or (is_present(path) and path.is_dir()):
        return FORMATS["npy"]
    raise OptionError(
        f"{path}: no format has the suffix {path.suffix!r}. Use .npz or .safetensors, a name without a suffix for a folder "
        f"of .npy files, or set format= to one of {', '.join(FORMATS)}."
    )


def check_dtypes(kind: Format, leaves: Iterable[tuple[str, TensorSpec]]) -> None:
    """Raise `DTypeError` if `kind` cannot store an input; the message names the formats that can."""
    needed = {leaf.dtype: path for path, leaf in leaves}
    for dtype, path in needed.items():
        if dtype not in kind.dtypes:
            able = [other.name for other in FORMATS.values() if other.dtypes >= set(needed)]
            able = able or [other.name for other in FORMATS.values() if dtype in other.dtypes]
            remedy = f"Formats that can: {', '.join(able)}." if able else "No format can."
            raise DTypeError(f"input {path!r} is {dtype}, which format={kind.name!r} cannot store. {remedy}")


def sample_paths(kind: Format, path: Path, samples: int) -> list[Path]:
    """Return the path of each sample.

    One sample goes to ``inputs.npz`` or to the folder itself; several go to ``inputs.0.npz``, ``inputs.1.npz`` ... or to
    numbered folders below it. ONNX test data is always numbered, from the number in the path on.
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
