"""Reads a file that somebody names: a regular file of a bounded size, so that neither a pipe nor a device is waited for.

Also whether a name that a model's file contains leads to a file of that model.
"""

import os
import stat
from pathlib import Path, PureWindowsPath

from dummyio.errors import SourceError

_FLAGS = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_bounded_file(path: Path, most: int) -> bytes:
    """Return the content of a regular file; links are followed.

    Raises
    ------
    SourceError
        if it is larger than `most` bytes, is not a regular file, or cannot be read.
    """
    content = read_beginning(path, most + 1)  # no more than that, whatever its size
    if len(content) > most:
        raise SourceError(f"{shorten_path(path)}: a file of more than {most} bytes is not read here.")
    return content


def read_beginning(path: Path, most: int) -> bytes:
    """Return at most so many bytes from the beginning of a regular file; errors as `read_bounded_file`."""
    try:
        # Without O_NONBLOCK, opening a pipe waits for a writer.
        descriptor = os.open(path, _FLAGS)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise SourceError(f"{shorten_path(path)}: cannot be read ({reason}).") from error
    if stat.S_ISDIR(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise SourceError(f"{shorten_path(path)}: a folder, where a file is due. Give the path of a file.")
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):  # a pipe or a device may never end
            raise SourceError(f"{shorten_path(path)}: not a regular file, so it is not read. Give the path of a file.")
        try:
            return stream.read(most)
        except OSError as error:
            raise SourceError(f"{shorten_path(path)}: cannot be read ({error.strerror}).") from error


def is_plain_location(location: str) -> bool:
    """Whether a name is relative and does not leave its folder; drives and separators of Windows are seen on all systems."""
    parts = PureWindowsPath(location)
    return bool(location) and "\0" not in location and not parts.anchor and ".." not in parts.parts


def is_inside(location: str, model: Path, part: str = "") -> bool:
    """Whether a name leads to a place in the folder of a model, or in the folder to which the model's file is a link.

    A cache may link both a model and its data to a store, in which they are in one folder.

    Parameters
    ----------
    location
        The name that the model gives, relative to its folder, or to the sub-folder `part` of it.
    model
        The model's file.
    """
    if not is_plain_location(location):
        return False
    try:
        roots = (model.parent.resolve(), model.resolve().parent)
        targets = [(root / part / location).resolve() for root in roots]  # a runtime may start from either
    except (OSError, RuntimeError, ValueError):  # links in a circle, a name that the system does not accept
        return False
    return all(any(target.is_relative_to(root) for root in roots) for target in targets)


def shorten_path(path: object) -> str:
    """Return a path as text for a message: the end of a long one."""
    text = str(path)
    return text if len(text) <= 300 else f"...{text[-297:]}"
