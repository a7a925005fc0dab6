"""What ends a command: exit codes, reports of defects, and standard streams that cannot be written."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from dummyio.cli import main
from dummyio.cli.program import save_traceback
from dummyio.cli.shared_options import print_warnings
from dummyio.errors import SourceError
from dummyio.signals import Terminated

CONFIG = str(Path(__file__).parents[2] / "examples/bert-base/config.json")
PROGRAM = [sys.executable, "-m", "dummyio"]
POSIX = pytest.mark.skipif(sys.platform == "win32", reason="descriptors")


class PanicException(BaseException):
    """As libraries in Rust raise it."""


@pytest.fixture
def fails():
    """Add the command ``fails``, which does what the test states, to the program."""

    def fails(action):
        @main.command("fails")
        @print_warnings
        def command():
            return action()

        return CliRunner().invoke(main, ["fails"])

    yield fails
    main.commands.pop("fails")


def throw(error):
    raise error


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (SourceError("the reason. The remedy."), 2, "error: the reason. The remedy.\n"),
        (KeyboardInterrupt(), 130, "interrupted: no partial output was left.\n"),
        (Terminated(143), 143, "interrupted: no partial output was left.\n"),
        (click.UsageError("no such \x1bthing"), 2, "Error: no such \\x1bthing\n"),
        (click.FileError("x", "why"), 2, "Error: Could not open file 'x': why\n"),
        (click.exceptions.Exit(0), 0, ""),
    ],
)
def test_an_error_has_a_text_and_an_exit_code(fails, error, code, text):
    result = fails(lambda: throw(error))
    assert (result.exit_code, result.stderr.splitlines()[-1:]) == (code, text.splitlines())


@pytest.mark.parametrize(
    "error",
    [
        TypeError("a\nb"),
        ZeroDivisionError(),
        MemoryError(),
        RecursionError("deep"),
        OSError(5, "Input/output error"),
        BrokenPipeError(32, "Broken pipe"),
        SystemExit(1),
        SystemExit(0),
        PanicException("called unwrap"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_any_other_exception_is_reported_as_a_defect_with_its_trace_in_a_private_file(
    fails, error, tmp_path, monkeypatch
):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    result = fails(lambda: throw(error))
    assert result.exit_code == 2
    first, second = result.stderr.splitlines()
    assert first.startswith(f"error: this is a defect of dummyio: {type(error).__name__}")
    (saved,) = tmp_path.iterdir()
    assert str(saved) in second
    text = saved.read_text()
    assert "Traceback" in text
    assert "in throw" in text
    assert sys.platform == "win32" or saved.stat().st_mode & 0o777 == 0o600


def test_a_trace_that_cannot_be_saved_is_still_a_defect(fails, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    result = fails(lambda: throw(TypeError("x")))
    assert result.exit_code == 2
    assert "could not be saved (No such file or directory)" in result.stderr


def test_the_trace_is_printed_on_request(fails, monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    monkeypatch.setenv("DUMMYIO_TRACEBACK", "1")
    assert "in throw" in fails(lambda: throw(TypeError("x"))).stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_trace_is_saved_whole_or_not_at_all(tmp_path, monkeypatch):
    full = tmp_path / "full"
    full.symlink_to("/dev/full")
    monkeypatch.setattr("tempfile.mkstemp", lambda **_: (os.open(full, os.O_WRONLY), str(full)))
    with pytest.raises(OSError, match="No space left"):
        save_traceback(TypeError("x"))
    assert list(tmp_path.iterdir()) == []


def test_warnings_are_printed_once_as_one_line_also_before_an_error(fails):
    def warn():
        for _ in range(3):
            warnings.warn("a\x1b[31m\n\u202eb" + "c" * 5000, UserWarning, stacklevel=1)
        raise SourceError("the reason")

    lines = fails(warn).stderr.splitlines()
    assert len(lines) == 2
    assert lines[0].startswith(r"warning: a\x1b[31m \u202ebccc")
    assert len(lines[0]) < 1100
    assert lines[1] == "error: the reason"


def run(*arguments, **streams):
    return subprocess.run(
        [*PROGRAM, *arguments],
        text=True,
        check=False,
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams,
    )


COMMANDS = [("describe", CONFIG), ("describe", CONFIG, "--json"), ("generate", CONFIG), ("--help",), ("--version",)]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_full_standard_output_is_an_error(arguments):
    with Path("/dev/full").open("w") as full:
        done = run(*arguments, stdout=full)
    assert done.returncode == 2
    assert done.stderr == "error: standard output cannot be written (No space left on device). Write elsewhere.\n"


@POSIX
@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_a_reader_that_has_gone_is_exit_code_2_without_a_word(arguments):
    read, write = os.pipe()
    os.close(read)
    done = run(*arguments, stdout=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (2, "")


@POSIX
@pytest.mark.parametrize(
    ("closed", "arguments", "code"),
    [
        ([1], ("describe", CONFIG), 2),
        ([1, 2], ("describe", CONFIG), 2),
        ([0, 1, 2], ("describe", CONFIG), 2),
        ([2], ("describe", "nowhere.json"), 2),
        ([2], ("describe", CONFIG), 0),
        ([0], ("describe", CONFIG), 0),
    ],
)
def test_closed_descriptors_are_never_taken_for_files(closed, arguments, code, tmp_path):
    out = tmp_path / "spec.json"
    more = ["-o", str(out)] if "nowhere.json" not in arguments else []
    # A shell closes them: a function between fork and exec is not safe after other tests have started threads.
    closing = " ".join(f"{descriptor}>&-" for descriptor in closed)
    command = ["sh", "-c", f'exec "$@" {closing}', "sh", sys.executable, "-m", "dummyio", *arguments, *more]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: standard output cannot be written") or 2 in closed or code == 0
    if more:
        assert out.read_bytes().startswith(b"{")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a full device")
def test_a_full_standard_error_changes_no_exit_code():
    with Path("/dev/full").open("w") as full:
        assert run("describe", "nowhere.json", stderr=full).returncode == 2
        assert run("describe", CONFIG, stderr=full).returncode == 0


def test_characters_that_an_encoding_lacks_are_escaped():
    done = run("describe", "größe\u202e日.json", env={**os.environ, "PYTHONIOENCODING": "latin-1"}, encoding="latin-1")
    assert r"größe\u202e\u65e5.json" in done.stderr


@pytest.mark.parametrize("command", ["describe", "generate", "export", "validate", "backends"])
def test_the_help_of_each_command_states_the_exit_codes(command):
    help_text = " ".join(CliRunner().invoke(main, [command, "--help"]).output.split())
    for code in ("0 done", "1 a validation found a mismatch", "2 not possible", "130 interrupted", "143 terminated"):
        assert code in help_text
