"""Writes a ``.pt2`` file through a Python stream: the writer of PyTorch aborts the process if the disk is full."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

import torch
from torch.export import ExportedProgram


class _Recorder(io.RawIOBase):
    """Passes bytes on, and keeps the first exception: native code must not see one."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self.error: BaseException | None = None

    def writable(self) -> bool:
        """Whether it can be written to, which PyTorch requires."""
        return True

    def seekable(self) -> bool:
        """Whether it can be positioned, which PyTorch requires."""
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        """Stay at the end: PyTorch goes to the start only after the last byte."""
        del offset, whence
        return 0

    def write(self, data: Any) -> int:
        """Write bytes, unless that has failed before."""
        if self.error is None:
            try:
                self._stream.write(data)
            except BaseException as error:  # noqa: BLE001 - an interrupt too: it is raised when PyTorch has returned
                self.error = error
        return len(data)


def write_program(program: ExportedProgram, path: Path, extra: Mapping[str, str]) -> None:
    """Write a program with extra files by name; raise `OSError` if the file cannot be written."""
    with path.open("wb") as stream:
        recorder = _Recorder(stream)
        torch.export.save(program, recorder, extra_files=dict(extra))  # type: ignore[arg-type] # any binary stream
        if recorder.error is not None:
            raise recorder.error
