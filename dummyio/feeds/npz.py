"""One ``.npz`` file, for ``numpy.load``, with the inputs' paths as keys.

Equal samples give equal bytes, without a time stamp. Any path can be a key, unlike with ``numpy.savez``.
"""

import os
import zipfile
from collections.abc import Mapping
from pathlib import Path

from dummyio.atomic_files import atomic_file
from dummyio.errors import DummyioError, OutputError, SourceError, format_error_line
from dummyio.feeds.npy import read_array, write_array
from dummyio.materialize.memory_budget import check_budget
from dummyio.typing import Array, FilePath, Metadata

_SUFFIX = ".npy"
_LONGEST_NAME = 10_000
_MOST_DEFLATED = 1032
"""The most bytes that one byte of deflate can become."""
_ENCRYPTED = 1


def write(arrays: Mapping[str, Array], path: FilePath, *, metadata: Metadata = None, force: bool = False) -> None:
    """Write arrays as the members of one file, not compressed; `force` replaces an existing one."""
    del metadata  # the format cannot store it
    for name in arrays:
        reason = _find_fault(name)
        if reason is not None:
            raise OutputError(
                f"{os.fspath(path)}: input {name!r:.100} cannot be a name in a zip file: {reason}. Use another format."
            )
    with atomic_file(path, force=force) as stream, zipfile.ZipFile(stream, "w") as archive:
        for name, array in arrays.items():
            with archive.open(zipfile.ZipInfo(f"{name}{_SUFFIX}"), "w", force_zip64=True) as part:
                write_array(part, array)


def _find_fault(name: str) -> str | None:
    """Return the reason that a name cannot be that of a member; None if it can."""
    if not name or len(name) > _LONGEST_NAME:
        return f"it has {len(name)} characters, of 1 to {_LONGEST_NAME}"
    if any(ord(character) < ord(" ") for character in name):
        return "it contains control characters"
    if ".." in name.replace("\\", "/").split("/"):  # a tool that extracts it would write elsewhere
        return "it leaves its folder"
    return None


def read(path: FilePath) -> dict[str, Array]:
    """Return the arrays of a file, in its order. Nothing is extracted: names are keys only."""
    where = os.fspath(path)
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _check_members(members, where, Path(path).stat().st_size)
            return {member.filename.removesuffix(_SUFFIX): _read_member(archive, member, where) for member in members}
    except (DummyioError, FileNotFoundError, PermissionError, IsADirectoryError):
        raise
    except Exception as error:  # zipfile, and zlib under it, raise many types for broken files
        raise SourceError(f"{where}: not a whole .npz file ({format_error_line(error)}).") from error


def _check_members(members: list[zipfile.ZipInfo], where: str, size: int) -> None:
    """Raise `SourceError` for members that cannot be what they claim, before anything is read or allocated."""
    seen: set[str] = set()
    for member in members:
        name, packed, whole = member.filename, member.compress_size, member.file_size
        most = {zipfile.ZIP_STORED: packed, zipfile.ZIP_DEFLATED: packed * _MOST_DEFLATED}.get(member.compress_type)
        reason = _find_fault(name.removesuffix(_SUFFIX))
        if not name.endswith(_SUFFIX):
            reason = f"its name does not end in {_SUFFIX}"
        elif name in seen:
            reason = "another member has its name"
        elif member.flag_bits & _ENCRYPTED:
            reason = "it is encrypted"
        elif most is None:
            reason = "its compression is neither none nor deflate"
        elif whole > most:
            reason = f"it claims {whole} bytes, and {packed} cannot hold more than {most}"
        if reason is not None:
            raise SourceError(f"{where}, {name!r:.100}: not a member of an .npz file: {reason}.")
        seen.add(name)
    if sum(member.compress_size for member in members) > size:
        raise SourceError(f"{where}: not a whole .npz file (its members overlap).")
    check_budget(sum(member.file_size for member in members), where)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, where: str) -> Array:
    with archive.open(member) as stream:
        array = read_array(stream, f"{where}, {member.filename!r:.100}", member.file_size)
        stream.read(1)  # the checksum is compared at the end
    return array
