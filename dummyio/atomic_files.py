"""Files and folders that are written whole or not at all.

The new file or folder is made next to the target, on the same disk, and takes the target's name only when it is complete and
on the disk. If anything fails before, the target is unchanged and nothing is left next to it.
"""

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
from dummyio.typing import FilePath

_REMEDIES = {
    errno.ENOSPC: "Free some space there or write elsewhere.",
    errno.EDQUOT: "Free some of your quota there or write elsewhere.",
    errno.EFBIG: "Raise the limit on file sizes or write less.",
    errno.ENOENT: "Make its folder first.",
    errno.ENOTDIR: "Give a path in a folder.",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a folder that you may write to."),
    errno.ENAMETOOLONG: "Choose a shorter name.",
}


@contextmanager
def atomic_file(path: FilePath) -> Generator[BinaryIO]:
    """Open a binary stream whose bytes become the file `path` at the end, unless an exception is raised.

    A link is followed: the file that it points to is replaced, with its permissions kept.

    Raises
    ------
    OutputError
        If the file cannot be written: no space, no permission, no such folder, or a folder or device of this name.
    """
    with _naming_errors(path):
        target = Path(os.path.realpath(path))
        mode = _file_mode(path, target)
        made = _temporary_path(target)
        try:
            # Not opened by tempfile, so that a new file gets the permissions of the user's umask.
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
def atomic_folder(path: FilePath, *, force: bool = False) -> Generator[Path]:
    """Yield an empty folder to fill, which becomes the folder `path` at the end, unless an exception is raised.

    Raises
    ------
    OutputError
        As `atomic_file`, and if `path` is a folder that is not empty; with `force` it is replaced, at the end and as a
        whole.
    """
    with _naming_errors(path):
        check_folder(path, force=force)
        target = Path(os.path.realpath(path))
        with _temporary_folder(target) as made:
            yield made
            _sync_files(made)
            check_folder(path, force=force)  # another process may have written there meanwhile
            _move(made, target)


@contextmanager
def atomic_files(path: FilePath, expected: Iterable[str] = (), *, force: bool = False) -> Generator[Path]:
    """Yield an empty folder to fill, whose files are moved to the folder `path` at the end, unless an exception is raised.

    Other files in `path` are unchanged; a missing `path` is made. The names `expected` are checked before anything is made,
    so that long work does not end in an error.

    Raises
    ------
    OutputError
        As `atomic_file`, and if `path` has a file of the same name, unless `force`.
    """
    with _naming_errors(path):
        target = Path(os.path.realpath(path))
        _check_names(path, target, expected, force=force)
        fresh = [folder for folder in (target, *target.parents) if not folder.exists()]
        target.mkdir(parents=True, exist_ok=True)
        try:
            with _temporary_folder(target / "files") as made:
                yield made
                _sync_files(made)
                files = sorted(made.iterdir())
                _check_names(path, target, [file.name for file in files], force=force)
                for file in files:
                    _move(file, target / file.name)
        except BaseException:
            for folder in fresh:
                with suppress(OSError):
                    folder.rmdir()
            raise


def _check_names(path: FilePath, target: Path, names: Iterable[str], *, force: bool) -> None:
    taken = [name for name in names if (target / name).exists()]
    if taken and not force:
        raise OutputError(
            f"{os.fspath(path)}: {', '.join(taken)} would be lost. "
            "Choose another folder, or replace them: force=True, or --force on the command line."
        )


def check_folder(path: FilePath, *, force: bool = False) -> None:
    """Raise `OutputError` if `atomic_folder` would refuse to write."""
    target = Path(path)
    if target.exists() and not target.is_dir():
        raise OutputError(f"{os.fspath(path)}: a file has this name; a folder is to be written. Choose another name.")
    if not force and target.is_dir() and any(target.iterdir()):
        raise OutputError(
            f"{os.fspath(path)}: this folder is not empty, and what it holds would be lost. "
            "Choose another name, or replace it: force=True, or --force on the command line."
        )


def make_folder(path: FilePath) -> None:
    """Make a folder, unless it exists; its parent must exist. Errors as `atomic_file`."""
    with _naming_errors(path):
        Path(path).mkdir(exist_ok=True)


@contextmanager
def _naming_errors(path: FilePath) -> Generator[None]:
    """Convert an `OSError` to an `OutputError` with the path, the reason and the remedy."""
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, "")
        raise OutputError(f"{os.fspath(path)}: cannot be written ({reason}). {remedy}".rstrip()) from error


def _file_mode(path: FilePath, target: Path) -> int | None:
    """Return the permissions of an existing file; None if there is none."""
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


def _temporary_path(target: Path) -> Path:
    """Return an unused path in the folder of `target`, with a name short enough for any file system."""
    return target.with_name(f".dummyio-{secrets.token_hex(8)}.tmp")


@contextmanager
def _temporary_folder(target: Path) -> Generator[Path]:
    """Yield a new folder next to `target`, which is removed at the end, unless it has been renamed."""
    made = _temporary_path(target)
    made.mkdir()
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _sync_files(folder: Path) -> None:
    """Write every file in `folder` to the disk: the name must not be there before the bytes are."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())


def _move(made: Path, target: Path) -> None:
    """Rename `made` to `target`; an existing folder is removed only after the new one is in its place."""
    if not target.is_dir():
        made.replace(target)
        return
    aside = _temporary_path(target)
    target.rename(aside)
    try:
        made.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    shutil.rmtree(aside, ignore_errors=True)
