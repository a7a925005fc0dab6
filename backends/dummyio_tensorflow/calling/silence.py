"""Silence around converters, which print to the process's own output and log through Python."""

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Generator

_LOGGERS = ("absl", "tensorflow", "tf2onnx")
_OUTPUTS = (1, 2)


class CapturedLog(logging.Handler):
    """The messages that were logged meanwhile."""

    def __init__(self) -> None:
        super().__init__()
        self._records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a record."""
        self._records.append(record)

    def errors(self) -> list[str]:
        """Return the messages of level error: some converters only log them, and return all the same."""
        return [record.getMessage() for record in self._records if record.levelno >= logging.ERROR]


@contextlib.contextmanager
def silence_output() -> Generator[CapturedLog]:
    """Hide prints, logs and warnings, in the whole process: native code prints past Python."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        log = stack.enter_context(_capture_logs())
        stack.enter_context(_redirect_outputs())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield log


@contextlib.contextmanager
def _capture_logs() -> Generator[CapturedLog]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    log = CapturedLog()
    try:
        for logger in loggers:
            logger.handlers, logger.propagate = [log], False
        yield log
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


@contextlib.contextmanager
def _redirect_outputs() -> Generator[None]:
    """Send the process's standard output and error to a temporary file."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):  # there is none, or it is closed
            stream.flush()
    try:
        kept = [os.dup(number) for number in _OUTPUTS]
    except OSError:  # a process without output
        yield
        return
    try:
        with tempfile.TemporaryFile() as sink:
            for number in _OUTPUTS:
                os.dup2(sink.fileno(), number)
            yield
    finally:
        for number, copy in zip(_OUTPUTS, kept, strict=True):
            os.dup2(copy, number)
            os.close(copy)
