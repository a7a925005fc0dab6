"""Reads a file that somebody names: a regular file of a bounded size, so that neither a pipe nor a device is waited for."""

import os
import stat
from pathlib import Path

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
        raise SourceError(f"{shorten_path(path)}: a configuration of more than {most} bytes is not read.")
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


def shorten_path(path: object) -> str:
    """Return a path as text for a message: the end of a long one."""
    text = str(path)
    return text if len(text) <= 300 else f"...{text[-297:]}"
