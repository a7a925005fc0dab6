"""Files and folders that are written whole or not at all.

The new one is made beside the target, in the same folder and so on the same disk, and takes the target's name only when
it is complete and on the disk. Whatever fails before, the target stays as it was and nothing is left beside it.
"""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import stat
from collections.abc import Generator, Iterable
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from dummyio.errors import OutputError

__all__ = ["atomic_file", "atomic_files", "atomic_folder", "check_folder", "make_folder"]

_REMEDIES = {
    errno.ENOSPC: "Free some space there or write elsewhere.",
    errno.EDQUOT: "Free some of your quota there or write elsewhere.",
    errno.EFBIG: "Raise the limit on file sizes or write less.",
    errno.ENOENT: "Make its folder first.",
    errno.ENOTDIR: "Give a path in a folder.",
    errno.EACCES: "Choose a folder that you may write to.",
    errno.EPERM: "Choose a folder that you may write to.",
    errno.EROFS: "Choose a folder that you may write to.",
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


@contextmanager
def atomic_file(path: str | os.PathLike[str]) -> Generator[BinaryIO]:
    """Open a binary stream whose bytes become the file `path` at the end, if all goes well.

    A link is followed: what it points to is replaced, with its permissions kept.

    Raises
    ------
    OutputError
        where it cannot be written: no space, no permission, no such folder, or something there that is no file.
    """
    with _named(path):
        target = Path(os.path.realpath(path))
        mode = _file_mode(path, target)
        made = _beside(target)
        try:
            # Opened here, and not by tempfile, so that a new file gets the permissions that the user's umask gives.
            with made.open("xb") as stream:
                yield stream
                stream.flush()
                os.fsync(stream.fileno())
            if mode is not None:
                made.chmod(mode)
            made.replace(target)
        except BaseException:
            with suppress(OSError):
                made.unlink()
            raise


@contextmanager
def atomic_folder(path: str | os.PathLike[str], *, force: bool = False) -> Generator[Path]:
    """Give an empty folder to fill, which becomes the folder `path` at the end, if all goes well.

    Raises
    ------
    OutputError
        as `atomic_file`, and where `path` is a folder that holds something, unless `force`: then it is replaced, at the
        end and as a whole.
    """
    with _named(path):
        check_folder(path, force=force)
        target = Path(os.path.realpath(path))
        made = _beside(target)
        made.mkdir()
        try:
            yield made
            _sync(made)
            check_folder(path, force=force)  # others may have written there meanwhile
            _put(made, target)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


@contextmanager
def atomic_files(path: str | os.PathLike[str], expected: Iterable[str] = (), *, force: bool = False) -> Generator[Path]:
    """Give an empty folder to fill, whose files are put into the folder `path` at the end, if all goes well.

    What is in `path` under other names stays. The folder is made where it is missing. The names `expected` are looked for
    before anything is made, so that a long work does not end in an error.

    Raises
    ------
    OutputError
        as `atomic_file`, and where a file of the same name is there, unless `force`.
    """
    with _named(path):
        target = Path(os.path.realpath(path))
        _check_names(path, target, expected, force=force)
        fresh = [folder for folder in (target, *target.parents) if not folder.exists()]
        target.mkdir(parents=True, exist_ok=True)
        made = _beside(target / "files")
        made.mkdir()
        try:
            yield made
            _sync(made)
            names = sorted(made.iterdir())
            _check_names(path, target, [name.name for name in names], force=force)
            for name in names:
                _put(name, target / name.name)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            for folder in fresh:
                with suppress(OSError):
                    folder.rmdir()
            raise
        made.rmdir()


def _check_names(path: str | os.PathLike[str], target: Path, names: Iterable[str], *, force: bool) -> None:
    taken = [name for name in names if (target / name).exists()]
    if taken and not force:
        raise OutputError(
            f"{os.fspath(path)}: {', '.join(taken)} would be lost. Choose another folder, or force them to be replaced."
        )


def check_folder(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Raise `OutputError` where `atomic_folder` would refuse to write."""
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{os.fspath(path)}: a file has this name; a folder is to be written. Choose another name.")
    if not force and target.is_dir() and any(target.iterdir()):
        raise OutputError(
            f"{os.fspath(path)}: this folder is not empty, and what it holds would be lost. "
            "Choose another name, or force it to be replaced."
        )


def make_folder(path: str | os.PathLike[str]) -> None:
    """Make a folder, in one that is there; nothing is done where it is there itself. Errors as `atomic_file`."""
    with _named(path):
        Path(path).mkdir(exist_ok=True)


@contextmanager
def _named(path: str | os.PathLike[str]) -> Generator[None]:
    """Turn what the system refuses into an error that says the path, the reason and the remedy."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, "")
        raise OutputError(f"{os.fspath(path)}: cannot be written ({reason}). {remedy}".rstrip()) from error


def _file_mode(path: str | os.PathLike[str], target: Path) -> int | None:
    """Return the permissions of the file that is there; None where there is none."""
    try:
        found = target.stat()
    except FileNotFoundError:
        return None
    if stat.S_ISDIR(found.st_mode):
        raise OutputError(f"{os.fspath(path)}: a folder has this name; a file is to be written. Choose another name.")
    if not stat.S_ISREG(found.st_mode):  # replacing a device or a pipe would remove it from the system
        raise OutputError(
            f"{os.fspath(path)}: this is a device or a pipe, which cannot be replaced. Give a file's name."
        )
    return stat.S_IMODE(found.st_mode)


def _beside(target: Path) -> Path:
    """Return an unused name in the folder of `target`, short enough for any file system."""
    return target.with_name(f".dummyio-{secrets.token_hex(8)}.tmp")


def _sync(folder: Path) -> None:
    """Bring every file in `folder` to the disk: the name must not be there before the bytes are."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())


def _put(made: Path, target: Path) -> None:
    """Rename `made` to `target`; a folder that was there is removed only once the new one stands."""
    if not target.is_dir():
        made.replace(target)
        return
    aside = _beside(target)
    target.rename(aside)
    try:
        made.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
