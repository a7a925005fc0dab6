"""Silence around converters, which print to the process's own output and log through Python."""

import contextlib
import logging
from collections.abc import Generator, Sequence

from dummyio.process_state import drop_native_output, silence_thread

_LOGGERS = ("absl", "tensorflow", "tf2onnx")


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
    with drop_native_output(), silence_thread(_LOGGERS, streams=("stdout", "stderr")) as records:
        yield CapturedLog(records)
