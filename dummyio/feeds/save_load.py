"""Saves samples to files for other tools, all of them or none; loads them."""

import json
import os
import stat
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from dummyio.atomic_files import atomic_files, atomic_folder, check_file_name, check_file_path, check_folder
from dummyio.errors import DummyioError, OutputError, SourceError, format_error_line, to_path
from dummyio.feeds.file_formats import FORMATS, Format, check_dtypes, choose_format, sample_paths
from dummyio.feeds.onnx_test_data import FILE
from dummyio.input_spec import InputSpec
from dummyio.option_types import convert_option
from dummyio.typing import Feeds, FilePath


def save_samples(
    spec: InputSpec,
    path: FilePath,
    *,
    format: str | None = None,  # noqa: A002 - the word that users know
    seed: int = 0,
    samples: int = 1,
    force: bool = False,
    progress: Callable[[], object] | None = None,
    **dims: int,
) -> list[Path]:
    """Write samples 0 to ``samples - 1`` to files, and return the file or folder of each.

    Parameters
    ----------
    spec
        The inputs.
    path
        ``inputs.npz``, ``inputs.safetensors``, a folder (of ``.npy`` files), or ``test_data_set_0`` (ONNX test data).
        Several samples are numbered: ``inputs.0.npz``, ``folder/0``, ``test_data_set_0``, each with the next number.
    format
        ``"npz"``, ``"npy"``, ``"safetensors"`` or ``"onnx-test-data"``, if the path does not imply it.
    seed, dims
        As in `InputSpec.generate`.
    force
        Replace files and folders of these names that exist.
    progress
        Called after each sample.

    Raises
    ------
    DTypeError
        If the format cannot store an input's dtype; the message names those that can.
    OptionError
        If a format, a suffix or a size is unknown.
    OutputError
        If a file exists, unless `force`, or cannot be written. Either all samples are written or none.
    """
    kind, final = check_output(path, format=format, samples=samples, force=force)
    check_dtypes(kind, spec.leaves)
    sizes = spec.sizes(**dims)
    facts = {"seed": str(seed), "sizes": json.dumps(sizes), "spec_sha256": spec.sha256}
    with _shared_folder(kind, Path(path), final, force=force) as made:
        for sample, target in enumerate(made):
            written = {**facts, "sample": str(sample)}
            # No sample is kept in a name: it would be in memory while the next one is made.
            kind.write(spec.feeds(seed=seed, sample=sample, **dims), target, metadata=written, force=force)
            if progress is not None:
                progress()
    return final


def check_output(
    path: FilePath,
    *,
    format: str | None = None,  # noqa: A002 - the word that users know
    samples: int = 1,
    force: bool = False,
) -> tuple[Format, list[Path]]:
    """Return the format and the path of each sample; raise what `save_samples` would raise for them, before any work."""
    place = to_path(path)
    if not os.fspath(path):
        raise OutputError("the path is empty: give the name of a file or folder.")
    force = convert_option("force", force, bool)
    samples = convert_option("samples", samples, Annotated[int, Meta(ge=1)])
    kind = choose_format(place, format)
    final = sample_paths(kind, place, samples)
    if kind.suffix:
        check_file_name(path)
        for target in final:
            check_file_path(target, force=force)
    elif kind.name == "onnx-test-data" and not final[0].parent.exists():
        check_folder(final[0].parent)
    else:
        _check_folders(kind, [place] if kind.name == "npy" else final, force=force)
    return kind, final


def _check_folders(kind: Format, folders: list[Path], *, force: bool) -> None:
    """Raise `OutputError` before anything is made; a folder with other files is never replaced: the path may be a mistake."""
    suffix = ".npy" if kind.name == "npy" else ".pb"
    for folder in folders:
        check_folder(folder, force=force)
        other = next((file for file in folder.rglob("*") if not file.is_dir() and file.suffix != suffix), None)
        if other is not None:
            raise OutputError(
                f"{folder}: this folder holds other files than {suffix} ({other.name}), so it is not replaced, not even by "
                "force. Choose another name, or remove it yourself."
            )


@contextmanager
def _shared_folder(kind: Format, place: Path, final: list[Path], *, force: bool) -> Generator[list[Path]]:
    """Yield the paths to write to; several are in a temporary folder, so that all of them appear at the end."""
    made: AbstractContextManager[Path]
    if kind.name == "onnx-test-data" or (kind.suffix and len(final) > 1):
        place = final[0].parent  # usually a model's folder: never replaced
        made = atomic_files(place, force=force)
    elif len(final) > 1:
        made = atomic_folder(place, force=force)
    else:
        yield final
        return
    with made as folder:
        try:
            yield [folder / target.name for target in final]
        except OutputError as error:  # it names the temporary folder, which the user does not know
            raise OutputError(str(error).replace(str(folder), str(place))) from error


def load_feeds(path: FilePath) -> Feeds:
    """Return one sample that `save_samples` wrote, with its dtypes.

    Raises
    ------
    SourceError
        If the path holds no sample, or a broken one.
    """
    place = to_path(path)
    try:
        mode = place.stat().st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):  # reading a pipe would wait for ever
            raise SourceError(f"{place!s:.300}: this is neither a file nor a folder.")
        return _detect_format(place).read(place)
    except DummyioError:
        raise
    except (OSError, ValueError) as error:  # a null character in the path
        raise SourceError(f"{place!s:.300}: cannot be read ({format_error_line(error)}).") from error


def _detect_format(place: Path) -> Format:
    if place.is_dir():
        names = sorted(file.name for file in place.iterdir())
        if any(FILE.fullmatch(name) for name in names):
            return FORMATS["onnx-test-data"]
        if any(name.endswith(".npy") for name in names):
            return FORMATS["npy"]
        inside = next((name for name in names if (place / name).is_dir()), None)
        remedy = f"Give one of its folders, such as {place / inside}." if inside else "Give the folder of one sample."
        raise SourceError(f"{place}: this folder holds no .npy files and no input_0.pb. {remedy}")
    for kind in FORMATS.values():
        if kind.suffix and place.suffix == kind.suffix:
            return kind
    raise SourceError(
        f"{place}: feeds are read from .npz and .safetensors files, and from folders of .npy or .pb files."
    )
