"""Temporaries of dead, living and interrupted writers, in real processes."""

import gc
import os
import random
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from contextlib import suppress
from pathlib import Path

import pytest

from dummyio.atomic_files import atomic_file, atomic_files, atomic_folder
from dummyio.temporaries import is_temporary, sweep_folder, temporary_folder

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks and signals of POSIX")

WRITER = """
    import sys, time
    from pathlib import Path
    from dummyio.atomic_files import atomic_file, atomic_files, atomic_folder
    from dummyio.temporaries import temporary_folder

    kind, target = sys.argv[1], Path(sys.argv[2])

    def wait():
        print("writing", flush=True)
        time.sleep(60)

    if kind == "file":
        with atomic_file(target) as stream:
            stream.write(b"half" * 1000)
            stream.flush()
            wait()
    elif kind == "folder":
        with atomic_folder(target, force=True) as made:
            (made / "deep").mkdir()
            (made / "deep" / "half").write_bytes(b"half")
            wait()
    elif kind == "files":
        with atomic_files(target) as made:
            (made / "half").write_bytes(b"half")
            wait()
    else:
        with temporary_folder(target.parent) as made:
            (made / "half").write_bytes(b"half")
            wait()
"""
KINDS = ("file", "folder", "files", "scratch")


def _start(kind: str, target: Path) -> subprocess.Popen:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), kind, str(target)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "writing\n"
    return process


def _stop(process: subprocess.Popen, number: int = signal.SIGKILL) -> None:
    process.send_signal(number)
    process.wait(20)
    process.stdout.close()


def _list_temporaries(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if is_temporary(path)]


def _write_next(kind: str, folder: Path) -> None:
    """Write once more into the folder in which the temporary is."""
    if kind == "folder":
        with atomic_folder(folder / "next") as made:
            (made / "a").write_bytes(b"1")
    elif kind == "files":
        with atomic_files(folder / "out") as made:
            (made / "next").write_bytes(b"1")
    else:
        with atomic_file(folder / "next") as stream:
            stream.write(b"1")


@pytest.mark.parametrize("kind", KINDS)
def test_the_next_write_sweeps_what_a_killed_process_left(tmp_path, kind):
    _stop(_start(kind, tmp_path / "out"))
    assert len(_list_temporaries(tmp_path)) == 1
    _write_next(kind, tmp_path)
    assert _list_temporaries(tmp_path) == []


@pytest.mark.parametrize("kind", KINDS)
def test_a_living_writer_keeps_its_temporary(tmp_path, kind):
    process = _start(kind, tmp_path / "out")
    try:
        (made,) = _list_temporaries(tmp_path)
        os.utime(made, (0, 0))  # however old it is
        _write_next(kind, tmp_path)
        assert _list_temporaries(tmp_path) == [made]
    finally:
        _stop(process)


def test_two_writers_side_by_side(tmp_path):
    first, second = _start("file", tmp_path / "out"), _start("file", tmp_path / "out")
    try:
        assert len(_list_temporaries(tmp_path)) == 2
        _stop(first)
        with atomic_file(tmp_path / "next") as stream:
            stream.write(b"1")
        assert len(_list_temporaries(tmp_path)) == 1
    finally:
        _stop(first)
        _stop(second)


@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_leaves_nothing(tmp_path, kind):
    process = _start(kind, tmp_path / "out")
    _stop(process, signal.SIGINT)
    assert process.returncode != 0
    assert list(tmp_path.iterdir()) == []


FOREIGN = (
    ".dummyio-0123456789abcdef.tmp.bak",
    "x.dummyio-0123456789abcdef.tmp",
    ".dummyio-0123456789ABCDEF.tmp",
    ".dummyio-0123456789abcde.tmp",
    ".dummyio-.tmp",
    ".dummyio-notes.tmp",
    ".dummyio-0123456789abcdef.old",
)


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_similar_names_stay(tmp_path, name):
    (tmp_path / name).write_bytes(b"mine")
    (tmp_path / f"{name}-folder").mkdir()
    for path in tmp_path.iterdir():
        os.utime(path, (0, 0))
    sweep_folder(tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_links_and_pipes_are_not_followed(tmp_path):
    (tmp_path / "precious").mkdir()
    (tmp_path / "precious" / "thesis").write_bytes(b"years")
    with temporary_folder(tmp_path) as made:
        name = made.name
    (tmp_path / name).symlink_to(tmp_path / "precious")
    os.mkfifo(tmp_path / name.replace(name[-8:-4], "0000"))
    sweep_folder(tmp_path)
    assert (tmp_path / "precious" / "thesis").exists()
    assert len(list(tmp_path.iterdir())) == 3


def test_those_of_other_machines_are_swept_after_a_day(tmp_path):
    fresh, old = tmp_path / ".dummyio-00000000-0123456789abcdef.tmp", tmp_path / ".dummyio-0123456789abcdef.tmp"
    for path, age in ((fresh, 3600), (old, 2 * 24 * 3600)):
        path.write_bytes(b"1")
        os.utime(path, (time.time() - age,) * 2)
    sweep_folder(tmp_path)
    assert list(tmp_path.iterdir()) == [fresh]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give files away")
def test_those_of_other_users_stay(tmp_path):
    _stop(_start("file", tmp_path / "out"))
    (made,) = _list_temporaries(tmp_path)
    os.chown(made, 12345, 12345)
    sweep_folder(tmp_path)
    assert _list_temporaries(tmp_path) == [made]


class Stop(BaseException):
    """What the handler of a signal raises."""


def _attempt(kind: str, folder: Path) -> None:
    opened = {"file": atomic_file, "folder": atomic_folder, "files": atomic_files}[kind](
        folder / "out" if kind == "folder" else folder / "a"
    )
    with opened as made:
        if kind == "file":
            made.write(b"1")
        else:
            (made / "a").write_bytes(b"1")
        raise ZeroDivisionError


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_signal_at_any_moment_leaves_nothing():
    """Also in the middle of making a temporary, and of removing it."""

    armed = False

    def stop(*_):
        if armed:
            raise Stop

    rng = random.Random(0)
    previous = signal.signal(signal.SIGALRM, stop)
    interrupted, left = 0, []
    try:
        for number in range(600):
            with tempfile.TemporaryDirectory() as name:
                armed = True
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(2e-5, 8e-4))
                    with suppress(ZeroDivisionError):
                        _attempt(("file", "folder", "files")[number % 3], Path(name))
                    armed = False
                except Stop:
                    armed = False
                    interrupted += 1
                if list(Path(name).iterdir()):
                    gc.collect()  # a signal on the very entry of __exit__: Python closes the context when it frees it
                left += _list_temporaries(Path(name))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)  # else the last one ends the process
        signal.signal(signal.SIGALRM, previous)
    assert interrupted > 100
    assert left == []
