"""What surrounds each command: standard streams, and the exit code and the text of everything that can end a command."""

import errno
import io
import os
import platform
import sys
import tempfile
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

import click

from dummyio.errors import DummyioError, escape_controls, format_error_line
from dummyio.signals import SignalWatch, Terminated

NOT_POSSIBLE = 2
SHOW_TRACEBACK = "DUMMYIO_TRACEBACK"
_STREAMS = {1: "stdout", 2: "stderr"}


class StreamError(Exception):
    """Standard output cannot be written."""

    def __init__(self, problem: OSError) -> None:
        super().__init__(str(problem))
        self.problem = problem


def print_error(text: str) -> None:
    """Write a line to standard error, with characters that would control a terminal escaped; a closed stream takes none."""
    with suppress(OSError, ValueError):
        click.echo(escape_controls(text), err=True)


def run_program(action: Callable[[], object], signals: SignalWatch) -> int:
    """Run a command and return its exit code; print why it ended, if not by itself.

    Whatever is raised, the code is one of those that the help of each command lists. 1 is returned by `action` only.
    """
    try:
        signals.held = False
        returned = action()
        sys.stdout.flush()
        if signals.received:  # a library has taken the exception for one of its own
            raise Terminated(128 + signals.received)
        signals.code = returned if isinstance(returned, int) else 0
    except BaseException as error:  # noqa: BLE001 - libraries raise any class of error, also in place of an interrupt
        signals.code = _find_code(error, signals)
        _print_end(error, signals)
    return signals.code


def _find_code(error: BaseException, signals: SignalWatch) -> int:
    if signals.received:
        return 128 + signals.received
    if isinstance(error, KeyboardInterrupt):
        return 130
    code = error.exit_code if isinstance(error, click.exceptions.Exit) else NOT_POSSIBLE
    return error.code if isinstance(error, Terminated) and isinstance(error.code, int) else code


def _print_end(error: BaseException, signals: SignalWatch) -> None:
    if signals.received or isinstance(error, (KeyboardInterrupt, Terminated)):
        print_error("interrupted: no partial output was left.")
    elif isinstance(error, click.exceptions.Exit):
        return
    elif isinstance(error, click.ClickException):
        usage = io.StringIO()
        error.show(usage)
        for line in usage.getvalue().rstrip("\n").split("\n"):
            print_error(line)
    elif isinstance(error, DummyioError):
        print_error(f"error: {error}")
    elif isinstance(error, StreamError):
        if error.problem.errno != errno.EPIPE:  # the reader wanted no more: head, less
            print_error(f"error: standard output cannot be written ({error.problem.strerror}). Write elsewhere.")
    else:
        _report_defect(error)
    if os.environ.get(SHOW_TRACEBACK) == "1":
        for line in traceback.format_exception(error):
            print_error(line.rstrip("\n"))


def _report_defect(error: BaseException) -> None:
    """Report an exception that is not ours. Its traceback is in a file: a user needs one line, a developer all of them."""
    print_error(f"error: this is a defect of dummyio: {format_error_line(error)}")
    try:
        print_error(f"The traceback was saved: {save_traceback(error)}. Please report the defect with this file.")
    except OSError as problem:
        print_error(f"The traceback could not be saved ({problem.strerror}); {SHOW_TRACEBACK}=1 prints it.")


def save_traceback(error: BaseException) -> Path:
    """Write the traceback of an error to a new file that only the user can read, whole or not at all; return its path."""
    import dummyio  # noqa: PLC0415 - lazy: only after a defect

    lines = [
        f"dummyio {dummyio.__version__}, Python {platform.python_version()}, {platform.platform()}\n",
        f"command: {sys.argv!r}\n",
        *traceback.format_exception(error),
    ]
    descriptor, name = tempfile.mkstemp(prefix="dummyio-defect-", suffix=".txt")
    try:
        with open(descriptor, "w", encoding="utf-8", errors="backslashreplace") as stream:  # noqa: PTH123 - a descriptor
            stream.writelines(lines)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    return Path(name)


class _Output:
    """Standard output; an `OSError` of a write is a `StreamError`, which libraries do not turn into an exit code of their own."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        try:
            return self._stream.write(text)
        except OSError as error:
            raise StreamError(error) from error

    def flush(self) -> None:
        try:
            self._stream.flush()
        except OSError as error:
            raise StreamError(error) from error


@contextmanager
def open_streams() -> Generator[None]:
    """Make standard output and standard error usable; at the end, drop what cannot be written.

    A closed descriptor is opened for nothing, so that no file that is opened later is taken for it. Standard output then
    cannot be written, which is an error if a command prints. Characters that the encoding of a stream lacks are escaped.
    """
    if sys.stdin is None:
        os.open(os.devnull, os.O_RDONLY)  # the lowest descriptor that is free: 0
    for descriptor, name in _STREAMS.items():
        if getattr(sys, name) is None:
            setattr(sys, name, _open_nothing(descriptor, os.O_RDONLY if name == "stdout" else os.O_WRONLY))
        if isinstance(stream := getattr(sys, name), io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    output: Any = sys.stdout
    sys.stdout = _Output(output)
    try:
        yield
    finally:
        sys.stdout = output
        for descriptor, name in _STREAMS.items():
            _drop_unwritten(getattr(sys, name), descriptor)


def _open_nothing(descriptor: int, mode: int) -> TextIO:
    null = os.open(os.devnull, mode)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
    return open(descriptor, "w", encoding="utf-8", closefd=False)


def _drop_unwritten(stream: TextIO, descriptor: int) -> None:
    """Send what cannot be written to nowhere: the interpreter would try again at its end, and fail with a trace."""
    try:
        stream.flush()
    except (OSError, ValueError):
        with suppress(OSError):
            _open_nothing(descriptor, os.O_WRONLY)
