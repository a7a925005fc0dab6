# ruff: noqa: PT012 - what is done inside of the context is what is tested
import errno
import os
import stat
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from dummyio.atomic_files import atomic_file, atomic_folder, make_folder
from dummyio.errors import OutputError


def _names(folder):
    return sorted(path.name for path in folder.iterdir())


class _FullDisk:
    """A stream on a disk that is full after so many bytes."""

    def __init__(self, stream, room):
        self._stream, self._room = stream, room

    def __getattr__(self, name):
        return getattr(self._stream, name)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._stream.close()

    def write(self, data):
        self._room -= len(data)
        if self._room < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return self._stream.write(data)


@pytest.fixture
def full_disk(monkeypatch):
    opened = Path.open
    monkeypatch.setattr(Path, "open", lambda self, *args: _FullDisk(opened(self, *args), room=10))


def test_file_has_the_bytes_and_nothing_is_left_beside_it(tmp_path):
    with atomic_file(tmp_path / "a.bin") as stream:
        stream.write(b"one")
        assert not (tmp_path / "a.bin").exists()
    assert (tmp_path / "a.bin").read_bytes() == b"one"
    assert _names(tmp_path) == ["a.bin"]


def test_file_is_replaced_and_keeps_its_permissions(tmp_path):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    target.chmod(0o640)
    with atomic_file(str(target)) as stream:
        stream.write(b"new")
    assert target.read_bytes() == b"new"
    assert stat.S_IMODE(target.stat().st_mode) == 0o640


def test_new_file_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        with atomic_file(tmp_path / "a.bin") as stream:
            stream.write(b"new")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.bin").stat().st_mode) == 0o640


def test_link_stays_a_link(tmp_path):
    (tmp_path / "real").mkdir()
    target = tmp_path / "real" / "a.bin"
    target.write_bytes(b"old")
    link = tmp_path / "link.bin"
    link.symlink_to(target)
    with atomic_file(link) as stream:
        stream.write(b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_any_failure_leaves_the_file_that_was_there(tmp_path, error):
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")
    with pytest.raises(error), atomic_file(target) as stream:
        stream.write(b"half")
        raise error
    assert target.read_bytes() == b"old"
    assert _names(tmp_path) == ["a.bin"]


def test_full_disk_is_named_and_leaves_nothing(tmp_path, full_disk):
    with (
        pytest.raises(OutputError, match=r"a\.bin: cannot be written \(No space left on device\)\. Free some"),
        atomic_file(tmp_path / "a.bin") as stream,
    ):
        stream.write(b"four")
        stream.write(b"and more than that")
    assert _names(tmp_path) == []


def test_limit_on_file_sizes_of_a_real_process(tmp_path):
    """The system itself refuses, in the middle of a write and again when the buffer is flushed on closing."""
    (tmp_path / "a.npz").write_bytes(b"old")
    program = """
        import resource, sys
        import numpy as np
        from dummyio.errors import OutputError
        from dummyio.feeds import npy, npz, safetensors

        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        for write, name in ((npz.write, "a.npz"), (safetensors.write, "b.safetensors"), (npy.write, "c")):
            for count in (1 << 13, 1 << 22):
                try:
                    write({"x": np.zeros(count, np.float64)}, f"{sys.argv[1]}/{name}", force=True)
                except OutputError as error:
                    print(error)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(program), str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.count("cannot be written (File too large). Raise the limit") == 6
    assert done.stderr == ""
    assert _names(tmp_path) == ["a.npz"]
    assert (tmp_path / "a.npz").read_bytes() == b"old"


def test_failure_to_rename_leaves_nothing(tmp_path, monkeypatch):
    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.raises(OutputError, match="Permission denied"), atomic_file(tmp_path / "a.bin") as stream:
        stream.write(b"new")
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing/a.bin", r"missing/a\.bin: cannot be written \(No such file or directory\)\. Make its folder first\."),
        ("file/a.bin", "Not a directory"),
        ("n" * 300, "File name too long"),
        ("folder", "a folder has this name"),
    ],
)
def test_file_that_cannot_be(tmp_path, name, message):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match=message), atomic_file(tmp_path / name) as stream:
        stream.write(b"new")
    assert _names(tmp_path) == ["file", "folder"]


def test_devices_and_pipes_are_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path(os.devnull)):
        with pytest.raises(OutputError, match="a device or a pipe"), atomic_file(path):
            pass
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)


def test_many_writers_of_one_file_leave_one_whole_file(tmp_path):
    def write(letter):
        with atomic_file(tmp_path / "a.bin") as stream:
            for _ in range(100):
                stream.write(letter * 1000)

    threads = [threading.Thread(target=write, args=(bytes([65 + place]),)) for place in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    data = (tmp_path / "a.bin").read_bytes()
    assert len(data) == 100_000
    assert len(set(data)) == 1
    assert _names(tmp_path) == ["a.bin"]


def test_folder_appears_at_the_end(tmp_path):
    with atomic_folder(tmp_path / "out") as made:
        (made / "x").write_bytes(b"1")
        (made / "deep").mkdir()
        (made / "deep" / "y").write_bytes(b"2")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out" / "deep" / "y").read_bytes() == b"2"
    assert _names(tmp_path) == ["out"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "out").mkdir()
    with atomic_folder(tmp_path / "out") as made:
        (made / "x").write_bytes(b"1")
    assert _names(tmp_path / "out") == ["x"]
    assert _names(tmp_path) == ["out"]


def test_folder_that_holds_something_is_replaced_by_force_only(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_bytes(b"")
    with pytest.raises(OutputError, match="not empty"), atomic_folder(tmp_path / "out"):
        raise AssertionError  # not even entered
    with atomic_folder(tmp_path / "out", force=True) as made:
        (made / "new").write_bytes(b"")
        assert _names(tmp_path / "out") == ["old"]
    assert _names(tmp_path / "out") == ["new"]
    assert _names(tmp_path) == ["out"]


@pytest.mark.parametrize("force", [False, True])
def test_failure_leaves_the_folder_that_was_there(tmp_path, force):
    (tmp_path / "out").mkdir()
    if force:
        (tmp_path / "out" / "old").write_bytes(b"")
    before = _names(tmp_path / "out")
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "out", force=force) as made:
        (made / "new").write_bytes(b"")
        raise ZeroDivisionError
    assert _names(tmp_path / "out") == before
    assert _names(tmp_path) == ["out"]


def test_folder_that_others_fill_meanwhile_is_kept(tmp_path):
    with pytest.raises(OutputError, match="not empty"), atomic_folder(tmp_path / "out") as made:
        (made / "ours").write_bytes(b"")
        (tmp_path / "out").mkdir()
        (tmp_path / "out" / "theirs").write_bytes(b"")
    assert _names(tmp_path / "out") == ["theirs"]
    assert _names(tmp_path) == ["out"]


def test_failure_in_the_middle_of_the_swap_puts_the_old_folder_back(tmp_path, monkeypatch):
    """On a system that cannot swap two names in one step."""
    monkeypatch.setattr("dummyio.atomic_files._exchange", lambda *_: False)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_bytes(b"")
    renamed = Path.rename
    calls = []

    def fail_once(self, target):
        calls.append(target)
        if len(calls) == 2:
            raise OSError(errno.EIO, "Input/output error")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", fail_once)
    with pytest.raises(OutputError, match="Input/output error"), atomic_folder(tmp_path / "out", force=True) as made:
        (made / "new").write_bytes(b"")
    assert _names(tmp_path / "out") == ["old"]
    assert _names(tmp_path) == ["out"]


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_bytes(b"old")
    for force in (False, True):
        with pytest.raises(OutputError, match="a file has this name"), atomic_folder(tmp_path / "out", force=force):
            pass
    assert (tmp_path / "out").read_bytes() == b"old"


def test_make_folder(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Give a path in a folder"):
        make_folder(tmp_path / "file" / "c")
