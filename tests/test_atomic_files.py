# ruff: noqa: PT012 - what is done inside of the context is what is tested
import errno
import os
import stat
import subprocess
import sys
import textwrap
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from dummyio.atomic_files import atomic_file, atomic_files, atomic_folder, check_file_path, check_folder, make_folder
from dummyio.errors import OutputError
from dummyio.feeds import npz


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


@pytest.fixture
def small_disk(tmp_path):
    """A real file system of 1 MiB."""
    place = tmp_path / "small"
    place.mkdir()
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        pytest.skip("only root can mount")
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("this system cannot mount")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_full_disk_of_a_real_system(small_disk):
    """Every way to write: the target is as it was, and the temporaries are gone."""
    (small_disk / "a").write_bytes(b"old")
    (small_disk / "out").mkdir()
    (small_disk / "out" / "old").write_bytes(b"old")

    def fill(path):
        with path.open("wb") as stream:
            for _ in range(3):
                stream.write(bytes(1 << 20))

    with pytest.raises(OutputError, match="No space left on device"), atomic_file(small_disk / "a") as stream:
        for _ in range(3):
            stream.write(bytes(1 << 20))
    for opened in (atomic_folder(small_disk / "out", force=True), atomic_files(small_disk / "out", force=True)):
        with pytest.raises(OutputError, match="Free some space"), opened as made:
            fill(made / "old")
    with pytest.raises(OutputError, match="No space left"):
        npz.write({"x": np.zeros(1 << 20)}, small_disk / "a", force=True)
    assert (small_disk / "a").read_bytes() == (small_disk / "out" / "old").read_bytes() == b"old"
    assert _names(small_disk) == ["a", "out"]
    assert _names(small_disk / "out") == ["old"]


def test_mount_points_are_never_replaced(small_disk):
    for force in (False, True):
        with pytest.raises(OutputError, match="is a mount point, so it is not replaced, not even by force"):
            check_folder(small_disk, force=force)


def test_read_only_disk(small_disk):
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    for opened in (atomic_file(small_disk / "a"), atomic_folder(small_disk / "b"), atomic_files(small_disk)):
        with pytest.raises(OutputError, match="Choose a folder that you may write to"), opened:
            pass


def _protected(folder, monkeypatch):
    """Return folders that are never replaced, with the reason."""
    work, home = folder / "user" / "work", folder / "someone" / "home"
    for place in (work / "inner", home):
        place.mkdir(parents=True)
        (place / "thesis").write_bytes(b"years")
    (folder / "link").symlink_to(home / "..")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.chdir(work)
    return {
        ".": "the working folder",
        "inner/..": "the working folder",
        str(work): "the working folder",
        "..": "a parent of the working folder",
        str(work.parent): "a parent of the working folder",
        "/": "a parent of the working folder",
        str(home): "the home folder",
        str(home.parent): "a parent of the home folder",
        str(folder / "link"): "a link to",
        f"{folder / 'link'}/": "a link to",
    }


@pytest.mark.parametrize("force", [False, True])
def test_folders_that_are_never_replaced(tmp_path, monkeypatch, force):
    for path, reason in _protected(tmp_path, monkeypatch).items():
        with pytest.raises(OutputError, match=f"this folder is {reason}.*so it is not replaced, not even by force"):
            check_folder(path, force=force)
        with pytest.raises(OutputError, match="not even by force"), atomic_folder(path, force=force):
            pass
    assert len(list(tmp_path.rglob("thesis"))) == 2


@pytest.mark.parametrize("check", [check_file_path, check_folder])
@pytest.mark.parametrize(
    ("path", "message"), [("", "path is empty"), ("a\0b", "NUL"), ("\ud800", "no such characters")]
)
def test_what_is_not_a_path(check, path, message):
    with pytest.raises(OutputError, match=message):
        check(path, force=True)


def test_messages_about_long_paths_are_short(tmp_path):
    for name in ("n" * 5000, "d/" * 5000):
        with pytest.raises(OutputError) as caught:
            check_file_path(tmp_path / name)
        assert len(str(caught.value)) < 1000


def test_file_is_not_replaced_without_force(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    refused = pytest.raises(OutputError, match="this file exists, and its content would be lost")
    with refused, atomic_file(tmp_path / "a", force=False):
        raise AssertionError  # not even entered
    with pytest.raises(OutputError, match="would be lost"), atomic_file(tmp_path / "b", force=False) as stream:
        stream.write(b"ours")
        (tmp_path / "b").write_bytes(b"theirs")
    assert [(tmp_path / name).read_bytes() for name in "ab"] == [b"old", b"theirs"]
    assert _names(tmp_path) == ["a", "b"]


@pytest.mark.parametrize("force", [False, True])
def test_a_folder_is_never_replaced_by_a_file(tmp_path, force):
    (tmp_path / "model.onnx").mkdir()
    (tmp_path / "model.onnx" / "thesis").write_bytes(b"years")
    for opened in (atomic_files(tmp_path, ["model.onnx"], force=force), atomic_files(tmp_path, force=force)):
        with pytest.raises(OutputError, match="this is not a file, so it is not replaced"), opened as made:
            (made / "model.onnx").write_bytes(b"1")
    assert (tmp_path / "model.onnx" / "thesis").exists()


def test_failure_while_several_files_are_moved_takes_back_those_before(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"old")
    renamed = Path.rename

    def fail_for_c(self, target):
        if self.name == "c":
            raise OSError(errno.EIO, "Input/output error")
        return renamed(self, target)

    monkeypatch.setattr(Path, "rename", fail_for_c)
    with pytest.raises(OutputError, match="Input/output error"), atomic_files(tmp_path, force=True) as made:
        for name in "abc":
            (made / name).write_bytes(b"new")
    assert _names(tmp_path) == ["a"]
    assert (tmp_path / "a").read_bytes() == b"old"


@pytest.mark.parametrize("force", [False, True])
def test_processes_that_write_the_same_files_at_once(tmp_path, force):
    """One wins whole without force, and the others say so; with force the last one wins whole."""
    program = """
        import sys, time
        from pathlib import Path
        from dummyio.atomic_files import atomic_files
        from dummyio.errors import OutputError

        letter, force = sys.argv[2], sys.argv[3] == "True"
        try:
            with atomic_files(sys.argv[1], ["0"], force=force) as made:
                for number in range(40):
                    (made / str(number)).write_text(letter)
                time.sleep(max(0, float(sys.argv[4]) - time.time()))
        except OutputError as error:
            print(error)
    """
    start = str(time.time() + 4)
    command = [sys.executable, "-c", textwrap.dedent(program), str(tmp_path / "out")]
    jobs = [
        subprocess.Popen([*command, letter, str(force), start], stdout=subprocess.PIPE, text=True) for letter in "abcd"
    ]
    said = [job.communicate(timeout=60)[0] for job in jobs]
    found = {path.read_text() for path in (tmp_path / "out").iterdir()}
    assert len(found) == 1
    assert len(_names(tmp_path / "out")) == 40
    assert sum("would be lost" in text for text in said) == (0 if force else 3)
    assert all(job.returncode == 0 for job in jobs)


def test_a_killed_swap_leaves_the_old_folder_or_the_new_one(tmp_path):
    program = """
        import sys
        from dummyio.atomic_files import atomic_folder

        number = 0
        while True:
            number += 1
            with atomic_folder(sys.argv[1], force=True) as made:
                for part in range(3):
                    (made / str(part)).write_text(str(number))
    """
    target = tmp_path / "out"
    for delay in (0.3, 0.31, 0.33, 0.37, 0.41):
        job = subprocess.Popen([sys.executable, "-c", textwrap.dedent(program), str(target)])
        end = time.monotonic() + 60
        while not target.exists() and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(delay)
        job.kill()
        job.wait()
        assert len({path.read_text() for path in target.iterdir()}) == 1
        assert len(_names(target)) == 3
    with atomic_folder(tmp_path / "next"):
        pass
    assert _names(tmp_path) == ["next", "out"]


def test_make_folder(tmp_path):
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="Give a path in a folder"):
        make_folder(tmp_path / "file" / "c")


@pytest.mark.parametrize("end", ["/", "//", "/."])
def test_a_file_has_no_name_of_a_folder(tmp_path, end):
    (tmp_path / "there.json").write_bytes(b"precious")
    for name in ("new.json", "there.json"):
        with pytest.raises(OutputError, match="the name of a folder"), atomic_file(f"{tmp_path / name}{end}"):
            pass
    assert (tmp_path / "there.json").read_bytes() == b"precious"
    assert [path.name for path in tmp_path.iterdir()] == ["there.json"]
