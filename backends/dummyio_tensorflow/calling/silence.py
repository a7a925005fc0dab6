"""Silence around converters, which print to the process's own output and log through Python."""

import contextlib
import logging
import os
import sys
import tempfile
from collections.abc import Generator, Sequence

from dummyio.process_state import redirect_other_threads, silence_thread, undo_at_end

_LOGGERS = ("absl", "tensorflow", "tf2onnx")
_OUTPUTS = {"stdout": 1, "stderr": 2}


class CapturedLog:
    """The messages that were logged meanwhile."""

    def __init__(self, records: Sequence[logging.LogRecord]) -> None:
        self._records = records

    def errors(self) -> list[str]:
        """Return the messages of level error: some converters only log them, and return all the same."""
        return [record.getMessage() for record in self._records if record.levelno >= logging.ERROR]


@contextlib.contextmanager
def silence_output() -> Generator[CapturedLog]:
    """Hide prints, logs and warnings of this thread, and what native code prints past Python in the whole process."""
    with _redirect_outputs(), silence_thread(_LOGGERS, streams=("stdout", "stderr")) as records:
        yield CapturedLog(records)


@contextlib.contextmanager
def _redirect_outputs() -> Generator[None]:
    """Send the process's standard output and error to a temporary file; what other threads print goes where it went before."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
            stream.flush()
    with contextlib.ExitStack() as stack:
        try:
            kept = {number: os.dup(number) for number in _OUTPUTS.values()}
        except OSError:  # a process without output
            yield
            return
        for copy in kept.values():
            stack.callback(os.close, copy)

        def restore() -> None:
            for number, copy in kept.items():
                os.dup2(copy, number)

        with tempfile.TemporaryFile() as sink, undo_at_end(restore):
            for number in kept:
                os.dup2(sink.fileno(), number)
            for name, number in _OUTPUTS.items():
                stack.enter_context(redirect_other_threads(name, number, kept[number]))
            yield
