"""One ``.npz`` file, for ``numpy.load``, with the inputs' paths as keys.

Equal samples give equal bytes, without a time stamp. Any path can be a key, unlike with ``numpy.savez``.
"""

import os
import zipfile
from collections.abc import Mapping

from dummyio.atomic_files import atomic_file
from dummyio.errors import OutputError, SourceError
from dummyio.feeds.npy import read_array, write_array
from dummyio.typing import Array, FilePath, Metadata


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays as the members of one file, not compressed; an existing file is replaced."""
    del metadata, force  # the format cannot store metadata; files are always replaced
    with atomic_file(path) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            member = zipfile.ZipInfo(f"{name}.npy")
            if member.filename != f"{name}.npy":
                raise OutputError(
                    f"{os.fspath(path)}: input {name!r} cannot be a name in a zip file. Use another format."
                )
            with archive.open(member, "w", force_zip64=True) as part:
                write_array(part, array)


def read(path: FilePath) -> dict[str, Array]:
    """Return the arrays of a file, in its order."""
    where = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            arrays = {}
            for member in archive.infolist():
                with archive.open(member) as stream:
                    arrays[member.filename.removesuffix(".npy")] = read_array(stream, f"{where}, {member.filename!r}")
            return arrays
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError) as error:
        raise SourceError(f"{where}: not a whole .npz file ({error}).") from error
