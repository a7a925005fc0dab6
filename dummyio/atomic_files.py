"""Files and folders that are written whole or not at all.

The new file or folder is made next to the target, on the same disk, and takes the target's name only when it is complete and
on the disk. If anything fails before, the target is unchanged and nothing is left next to it. What exists is replaced only
where the caller asks for it, and some folders never are: see `check_folder`.
"""

import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

from dummyio.errors import OutputError, to_path
from dummyio.temporaries import finish_cleanup, is_temporary, temporary_file, temporary_folder
from dummyio.typing import FilePath

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_REMEDIES = {
    errno.ENOSPC: "Free some space there or write elsewhere.",
    errno.EDQUOT: "Free some of your quota there or write elsewhere.",
    errno.EFBIG: "Raise the limit on file sizes or write less.",
    errno.ENOENT: "Make its folder first.",
    errno.ENOTDIR: "Give a path in a folder.",
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS), "Choose a folder that you may write to."),
    errno.ENAMETOOLONG: "Choose a shorter name.",
}
_LONGEST_SHOWN = 300
_WAIT = 30
"""How long to wait for other writers, in seconds: they hold a folder only while they rename."""
_CURRENT_FOLDER, _EXCHANGE = -100, 2  # AT_FDCWD and RENAME_EXCHANGE of Linux
_FORCE = "force=True, or --force on the command line"


@contextmanager
def atomic_file(path: FilePath, *, force: bool = True) -> Generator[BinaryIO]:
    """Open a binary stream whose bytes become the file `path` at the end, unless an exception is raised.

    A link is followed: the file that it points to is replaced, with its permissions kept.

    Raises
    ------
    OutputError
        If the file cannot be written: no space, no permission, no such folder, or a folder or device of this name; without
        `force` also if it exists.
    """
    with _naming_errors(path):
        check_file_path(path, force=force)
        target = Path(os.path.realpath(path))
        with temporary_file(target.parent) as (made, stream):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            with _hold_folder(target.parent):
                mode = check_file_path(path, force=force)  # another process may have written there meanwhile
                if mode is not None:
                    made.chmod(mode)
                made.replace(target)


@contextmanager
def atomic_folder(
    path: FilePath, *, force: bool = False, check: Callable[[Path], object] | None = None
) -> Generator[Path]:
    """Yield an empty folder to fill, which becomes the folder `path` at the end, unless an exception is raised.

    Parameters
    ----------
    path
        The folder to write.
    force
        Whether a folder that is not empty is replaced.
    check
        Raises for a folder that is not to be replaced. It is called first, and again at the end: the content may be new.

    Raises
    ------
    OutputError
        As `atomic_file`, and as `check_folder`; with `force` a folder is replaced, at the end and as a whole.
    """
    with _naming_errors(path):
        check_folder(path, force=force)
        target = Path(os.path.realpath(path))
        if check is not None:
            check(target)
        with temporary_folder(target.parent) as made:
            yield made
            _sync_files(made)
            with _hold_folder(target.parent):
                check_folder(path, force=force)
                if check is not None:
                    check(target)
                _publish([(made, target)])


@contextmanager
def atomic_files(path: FilePath, expected: Iterable[str] = (), *, force: bool = False) -> Generator[Path]:
    """Yield an empty folder to fill, whose content is moved to the folder `path` at the end, unless an exception is raised.

    Other files in `path` are unchanged; a missing `path` is made. The names `expected` are checked before anything is made,
    so that long work does not end in an error.

    Raises
    ------
    OutputError
        As `atomic_file`, and if `path` has a file of the same name, unless `force`.
    """
    with _naming_errors(path):
        target = Path(os.path.realpath(path))
        check_names(path, expected, force=force)
        fresh = [folder for folder in (target, *target.parents) if not folder.exists()]
        try:
            target.mkdir(parents=True, exist_ok=True)
            with temporary_folder(target) as made:
                yield made
                _sync_files(made)
                parts = sorted(made.iterdir())
                with _hold_folder(target):
                    check_names(path, [part.name for part in parts if not part.is_dir()], force=force)
                    for part in parts:
                        if part.is_dir():
                            check_folder(target / part.name, force=force)
                    _publish([(part, target / part.name) for part in parts])
        except BaseException:
            try:
                finish_cleanup(partial(_remove_empty, fresh))
            finally:  # again, if a signal came before it began
                finish_cleanup(partial(_remove_empty, fresh))
            raise


def check_file_path(path: FilePath, *, force: bool = False) -> int | None:
    """Raise `OutputError` if `atomic_file` would refuse to write; return the permissions of a file that exists."""
    with _naming_errors(path):
        check_file_name(path)
        target = Path(os.path.realpath(path))
        try:
            found = target.stat()
        except FileNotFoundError:
            _check_parent(target)
            return None
        if stat.S_ISDIR(found.st_mode):
            raise OutputError(f"{_show(path)}: a folder has this name; a file is to be written. Choose another name.")
        if not stat.S_ISREG(found.st_mode):  # replacing a device or a pipe would remove it from the system
            raise OutputError(
                f"{_show(path)}: this is a device or a pipe, which cannot be replaced. Give a file's name."
            )
        if not force:
            raise OutputError(
                f"{_show(path)}: this file exists, and its content would be lost. Choose another name, or replace it: {_FORCE}."
            )
        _check_parent(target)
        return stat.S_IMODE(found.st_mode)


def check_file_name(path: FilePath) -> None:
    """Raise `OutputError` for a path that ends as only that of a folder does; `Path` would leave out this end."""
    text = os.fspath(path)
    if text.endswith((os.sep, f"{os.sep}.")) or (os.altsep and text.endswith(os.altsep)):
        raise OutputError(
            f"{_show(path)}: this is the name of a folder ({os.sep} at its end); a file is to be written. Give the name of a file."
        )


def check_names(path: FilePath, names: Iterable[str], *, force: bool = False) -> None:
    """Raise `OutputError` if `atomic_files` would refuse to write files of these names into the folder `path`."""
    with _naming_errors(path):
        target = Path(os.path.realpath(path))
        if target.exists() and not target.is_dir():
            raise OutputError(f"{_show(path)}: a file has this name; a folder is needed. Choose another name.")
        found: dict[str, int] = {}
        for name in names:
            with suppress(FileNotFoundError):
                found[name] = os.lstat(target / name).st_mode
        for name, mode in found.items():
            if not stat.S_ISREG(mode) and not stat.S_ISLNK(mode):
                raise OutputError(
                    f"{_show(target / name)}: this is not a file, so it is not replaced. Choose another name."
                )
        if found and not force:
            raise OutputError(
                f"{_show(path)}: {', '.join(found)} would be lost. Choose another folder, or replace them: {_FORCE}."
            )


def check_folder(path: FilePath, *, force: bool = False) -> None:
    """Raise `OutputError` if `atomic_folder` would refuse to write.

    A folder that is not empty is replaced by force only. A link, a mount point, and a folder that contains the working folder or the
    home folder are never replaced, not even by force.
    """
    with _naming_errors(path):
        place, target = Path(path), Path(os.path.realpath(path))
        if not os.path.lexists(place):
            with suppress(FileNotFoundError):
                os.lstat(place)  # raises for a name that the system does not accept
            _check_parent(target)
            return
        if place.exists() and not place.is_dir():
            raise OutputError(f"{_show(path)}: a file has this name; a folder is to be written. Choose another name.")
        reason = _find_protection(place, target)
        if reason is not None:
            raise OutputError(
                f"{_show(path)}: this folder is {reason}, so it is not replaced, not even by force. Choose another name."
            )
        if not force and any(target.iterdir()):
            raise OutputError(
                f"{_show(path)}: this folder is not empty, and what it holds would be lost. "
                f"Choose another name, or replace it: {_FORCE}."
            )
        _check_parent(target)


def _find_protection(place: Path, target: Path) -> str | None:
    """Return the reason that a folder is never replaced; None if there is none."""
    if place.is_symlink():
        return f"a link to {target}"
    with suppress(FileNotFoundError):  # the working folder may have been removed
        here = Path(os.path.realpath(Path.cwd()))
        if here.is_relative_to(target):
            return "the working folder" if here == target else "a parent of the working folder"
    home = Path(os.path.realpath(os.path.expanduser("~")))  # noqa: PTH111 - Path.home() raises if there is none
    if home.is_relative_to(target):
        return "the home folder" if home == target else "a parent of the home folder"
    return "a mount point" if os.path.ismount(target) else None


def _check_parent(target: Path) -> None:
    parent = target.parent
    if not stat.S_ISDIR(parent.stat().st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(parent, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def make_folder(path: FilePath) -> None:
    """Make a folder and its parents, unless it exists. Errors as `atomic_file`."""
    with _naming_errors(path):
        Path(path).mkdir(parents=True, exist_ok=True)


@contextmanager
def _naming_errors(path: FilePath) -> Generator[None]:
    """Convert an `OSError` to an `OutputError` with the path, the reason and the remedy; refuse what cannot be a path."""
    to_path(path)
    text = os.fspath(path)
    if not text:
        raise OutputError("the path is empty: give the name of a file or folder.")
    try:
        if b"\0" in os.fsencode(text):
            raise OutputError(f"{_show(path)!r}: a path cannot contain NUL. Choose another name.")
    except UnicodeEncodeError:
        raise OutputError(f"{_show(path)!r}: the file system has no such characters. Choose another name.") from None
    try:
        yield
    except OutputError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        remedy = _REMEDIES.get(error.errno or 0, "")
        raise OutputError(f"{_show(path)}: cannot be written ({reason}). {remedy}".rstrip()) from error


def _show(path: FilePath) -> str:
    """Return a path for a message; a long one without its middle."""
    text = os.fspath(path)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:200]}...{text[-60:]}"


@contextmanager
def _hold_folder(folder: Path) -> Generator[None]:
    """Let no other process of dummyio take names in `folder` until the context ends: check and rename are one step."""
    if fcntl is None or is_temporary(folder):
        yield
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except (
        OSError
    ):  # a folder that may be written but not read has no lock; the renames themselves are whole in any case
        yield
        return
    try:
        _wait_for_lock(descriptor, folder)
        yield
    finally:
        os.close(descriptor)


def _wait_for_lock(descriptor: int, folder: Path) -> None:
    assert fcntl is not None
    end = time.monotonic() + _WAIT
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise OutputError(
                    f"{_show(folder)}: another process has locked this folder for {_WAIT} s. Wait for its end, or write elsewhere."
                ) from None
            time.sleep(0.02)
        except OSError:  # a file system without locks
            return
        else:
            return


def _sync_files(folder: Path) -> None:
    """Write every file in `folder` to the disk: the name must not be there before the bytes are."""
    for file in folder.rglob("*"):
        if file.is_file():
            with file.open("rb+") as stream:
                os.fsync(stream.fileno())


def _remove_empty(folders: Iterable[Path]) -> None:
    for folder in folders:
        with suppress(OSError):  # another process has written there, or it was never made
            folder.rmdir()


def _publish(moves: Iterable[tuple[Path, Path]]) -> None:
    """Rename each (made, target); if one fails, those before it are taken back."""
    with ExitStack() as undo:
        for made, target in moves:
            undo.callback(_move(made, target))
        undo.pop_all()


def _move(made: Path, target: Path) -> Callable[[], object]:
    """Rename `made` to `target`; what was there has the name `made` afterwards, if the system can swap. Return the way back."""
    if not os.path.lexists(target):
        made.rename(target)
        return partial(target.rename, made)
    if _exchange(made, target):
        return partial(_exchange, made, target)
    if not target.is_dir():
        made.replace(target)
        return lambda: None  # the former file is gone
    # Not the name of a temporary: if the process is killed between the two renames, the former folder must not be swept.
    aside = made.with_suffix(".old")
    target.rename(aside)
    try:
        made.rename(target)
    except BaseException:
        aside.rename(target)
        raise
    aside.rename(made)
    return lambda: None


def _exchange(made: Path, target: Path) -> bool:
    """Swap two names in one step; return False if the system cannot. A kill finds the old folder or the new one, never none."""
    import ctypes  # noqa: PLC0415 - lazy: start-up time

    try:
        rename = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    if rename(_CURRENT_FOLDER, os.fsencode(made), _CURRENT_FOLDER, os.fsencode(target), _EXCHANGE) == 0:
        return True
    code = ctypes.get_errno()
    if code in (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EPERM):
        return False
    raise OSError(code, os.strerror(code))
