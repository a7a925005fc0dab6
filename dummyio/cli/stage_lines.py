"""The progress of long work on a terminal: one line for each stage, with its time when it ends."""

import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import TextIO

from dummyio.errors import escape_controls
from dummyio.exporting.stages import Stage, listen_to_stages

_COLUMNS = 80
_NAME = 9
"""The width of the longest name of a stage, ``validate``, and a space."""


@contextmanager
def show_stages(*, quiet: bool) -> Generator[None]:
    """Show the stages of this context on standard error; nothing if `quiet`, or if standard error is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield
        return
    lines = _StageLines(sys.stderr)  # this object: exporters replace the one in `sys` while they run
    with listen_to_stages(lines.show):
        try:
            yield
        finally:
            lines.end()


class _StageLines:
    """The last line is that of the stage that runs, and is replaced; those of stages that have ended stay above it."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = 0

    def show(self, stage: Stage) -> None:
        """Show a stage that begins, takes a step or ends."""
        if stage.state == "begun":
            self._write(f"{stage.name:<{_NAME}}{stage.step or '...'}  {stage.subject}", is_last=True)
            return
        failed = "  failed" if stage.state == "failed" else ""
        self._write(f"{stage.name:<{_NAME}}{stage.seconds:7.1f} s  {stage.subject}{failed}", is_last=False)

    def end(self) -> None:
        """Remove the line of a stage that has not ended."""
        if self._shown:
            self._print(f"\r{' ' * self._shown}\r")
            self._shown = 0

    def _write(self, text: str, *, is_last: bool) -> None:
        shown = escape_controls(text.rstrip())[: self._count_columns() - 1]  # a longer line could not be replaced
        # Spaces erase the former text on every terminal, also on those without control sequences.
        self._print("\r" + shown.ljust(self._shown) + ("" if is_last else "\n"))
        self._shown = len(shown) if is_last else 0

    def _count_columns(self) -> int:
        with suppress(OSError, ValueError, AttributeError):
            return os.get_terminal_size(self._stream.fileno()).columns or _COLUMNS
        return _COLUMNS

    def _print(self, text: str) -> None:
        with suppress(OSError, ValueError):  # progress that cannot be shown stops no work
            self._stream.write(text)
            self._stream.flush()
