"""Temporary files and folders: removed at the end in any case, and after a kill by the next write into the same folder.

A process holds a lock on each of its temporaries. The system releases it when the process ends, however it ends, so a temporary
whose lock is free has no writer. It is removed if it belongs to this user, has exactly the name of a temporary, is not a link, and
was made on this machine, or is older than a day: locks do not reach other machines on every network file system.
"""

import atexit
import os
import re
import shutil
import socket
import stat
import time
import zlib
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import BinaryIO

try:
    import fcntl
except ImportError:  # Windows: without these locks nothing is swept
    fcntl = None  # type: ignore[assignment]

_NAME = re.compile(r"\.dummyio-(?:(?P<host>[0-9a-f]{8})-)?[0-9a-f]{16}\.tmp")
_DAY = 24 * 3600
_ATTEMPTS = 5
_OWN: set[Path] = set()
"""The temporaries of this process that exist now."""


@contextmanager
def temporary_file(folder: Path) -> Generator[tuple[Path, BinaryIO]]:
    """Yield path and stream of a new file in `folder`, which is removed at the end unless it has been renamed."""
    # Not opened by tempfile, so that a new file gets the permissions of the user's umask.
    with _reserve_path(folder) as made, _open_locked(made) as stream:
        yield made, stream


@contextmanager
def temporary_folder(folder: Path | None = None) -> Generator[Path]:
    """Yield a new folder in `folder`, by default in that of the system, which is removed at the end unless it has been renamed."""
    if folder is None:
        import tempfile  # noqa: PLC0415 - lazy: start-up time

        folder = Path(tempfile.gettempdir())
    with _reserve_path(folder) as made, _make_locked(made):
        yield made


def is_temporary(path: Path) -> bool:
    """Return whether the last part of a path is the name of a temporary."""
    return _NAME.fullmatch(path.name) is not None


def sweep_folder(folder: Path) -> None:
    """Remove the temporaries in `folder` whose processes have ended; what cannot be removed stays."""
    if fcntl is None or is_temporary(folder):  # nobody else writes into a temporary of this process
        return
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            found = _NAME.fullmatch(entry.name)
            if found and Path(entry.path) not in _OWN:
                _remove_if_free(Path(entry.path), 0 if found["host"] == _host_tag() else _DAY)


@contextmanager
def _reserve_path(folder: Path) -> Generator[Path]:
    """Yield an unused path, short enough for any file system; remove what is there at the end."""
    sweep_folder(folder)
    made = folder / f".dummyio-{_host_tag()}-{os.urandom(8).hex()}.tmp"
    _OWN.add(made)
    try:
        yield made
    finally:
        try:
            finish_cleanup(partial(_remove, made))
        finally:  # again, if a signal came before it began
            finish_cleanup(partial(_remove, made))
            _OWN.discard(made)


def _host_tag() -> str:
    return f"{zlib.crc32(socket.gethostname().encode()):08x}"


def _open_locked(made: Path) -> BinaryIO:
    while True:
        stream = made.open("xb")
        if _lock_writer(stream.fileno(), made):
            return stream
        stream.close()


@contextmanager
def _make_locked(made: Path) -> Generator[None]:
    descriptor = None
    try:
        while descriptor is None:
            made.mkdir()
            if fcntl is None:
                break
            try:
                descriptor = os.open(made, os.O_RDONLY)
            except FileNotFoundError:  # another process swept it before it was opened
                continue
            if not _lock_writer(descriptor, made):
                os.close(descriptor)
                descriptor = None
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _lock_writer(descriptor: int, made: Path) -> bool:
    """Lock a new temporary; return False if another process swept it before it was locked."""
    if fcntl is None:
        return True
    with suppress(OSError):  # a file system without locks: there the others get none either, and sweep nothing
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        return os.path.samestat(os.fstat(descriptor), os.lstat(made))
    except FileNotFoundError:
        return False


def _remove_if_free(path: Path, age: float) -> None:
    """Remove a temporary of this user that no process has locked and that is older than `age` seconds."""
    assert fcntl is not None
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:  # a link, another user's, or already gone
        return
    try:
        found = os.fstat(descriptor)
        kind = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
        if not kind or found.st_uid != os.geteuid() or time.time() - found.st_mtime < age:
            return
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _remove(path)
    except OSError:  # its writer lives
        return
    finally:
        os.close(descriptor)


def finish_cleanup(action: Callable[[], object]) -> None:
    """Run a clean-up, again if a signal interrupts it; the exception of the signal is raised afterwards."""
    interrupt: BaseException | None = None
    for _ in range(_ATTEMPTS):
        try:
            action()
            break
        except BaseException as error:  # noqa: BLE001 - raised at the end
            # Interrupted in the middle of a removal, shutil ends with an error of its own.
            interrupt = error.__context__ if isinstance(error, OSError) and error.__context__ else error
    try:
        if interrupt is not None:
            raise interrupt
    finally:
        del interrupt  # its traceback refers to this frame


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(OSError):
            path.unlink()


@atexit.register
def _remove_own() -> None:
    """Remove what a second interrupt in the middle of a clean-up has left."""
    for path in tuple(_OWN):
        _remove(path)


if hasattr(os, "register_at_fork"):  # a child that ends must not remove what its parent still writes
    os.register_at_fork(after_in_child=_OWN.clear)
