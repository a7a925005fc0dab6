"""Silence around converters: they write to the process's own output and log through Python, wanted or not."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Generator
from dataclasses import dataclass, field

__all__ = ["CapturedOutput", "quiet"]

_LOGGERS = ("absl", "tensorflow", "tf2onnx")
_OUTPUTS = (1, 2)


@dataclass
class CapturedOutput:
    """What was said meanwhile."""

    records: list[logging.LogRecord] = field(default_factory=list[logging.LogRecord])

    def errors(self) -> list[str]:
        """Return the messages that were logged as errors: some converters only log them, and return all the same."""
        return [record.getMessage() for record in self.records if record.levelno >= logging.ERROR]


class _Collector(logging.Handler):
    def __init__(self, chatter: CapturedOutput) -> None:
        super().__init__()
        self._chatter = chatter

    def emit(self, record: logging.LogRecord) -> None:
        self._chatter.records.append(record)


@contextlib.contextmanager
def quiet() -> Generator[CapturedOutput]:
    """Keep what is printed, logged and warned of inside from the user; it is process-wide, for native code has no other way."""
    chatter = CapturedOutput()
    with contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_collected(chatter))
        stack.enter_context(_nowhere())
        stack.enter_context(contextlib.redirect_stdout(io.StringIO()))
        stack.enter_context(contextlib.redirect_stderr(io.StringIO()))
        yield chatter


@contextlib.contextmanager
def _collected(chatter: CapturedOutput) -> Generator[None]:
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.handlers, logger.propagate) for logger in loggers]
    try:
        for logger in loggers:
            logger.handlers, logger.propagate = [_Collector(chatter)], False
        yield
    finally:
        for logger, handlers, propagate in before:
            logger.handlers, logger.propagate = handlers, propagate


@contextlib.contextmanager
def _nowhere() -> Generator[None]:
    """Send the process's standard output and error into a file that nobody reads."""
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
