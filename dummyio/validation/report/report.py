"""`Report`: everything that a validation found; written as JSON, HTML or JUnit XML, and read back from JSON."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import msgspec

from dummyio.atomic_files import atomic_file
from dummyio.errors import OutputError, SourceError
from dummyio.validation.data.report_data import ReportData

__all__ = ["Report"]


class Report(ReportData, frozen=True, kw_only=True):
    """The result of a validation, with its files."""

    def __str__(self) -> str:
        from dummyio.validation.report.terminal import to_text  # noqa: PLC0415 - only where it is shown

        return to_text(self)

    def to_json(self) -> bytes:
        """Return the report as JSON: what `load` reads."""
        return msgspec.json.format(msgspec.json.encode({**msgspec.to_builtins(self), "ok": self.ok}), indent=2)

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read what `to_json` wrote; raise `SourceError` for anything else."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise SourceError(f"this is no report of a validation: {error}.") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Report:
        """Read a ``.json`` file that `save` wrote; errors as `from_json`."""
        try:
            return cls.from_json(Path(path).read_bytes())
        except OSError as error:
            raise SourceError(f"{os.fspath(path)}: cannot be read ({error.strerror}).") from error

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report, whole or not at all: ``.json``, ``.html`` (one page, nothing loaded), ``.xml`` (JUnit).

        Raises
        ------
        OutputError
            for another suffix, or where it cannot be written.
        """
        writers: dict[str, Any] = {".json": Report.to_json, ".html": _html, ".xml": _xml}
        write = writers.get(Path(path).suffix)
        if write is None:
            raise OutputError(f"{os.fspath(path)}: reports are written as {', '.join(writers)}; choose by the suffix.")
        content = write(self)
        with atomic_file(path) as stream:
            stream.write(content)


def _html(report: Report) -> bytes:
    from dummyio.validation.report.html import to_html  # noqa: PLC0415 - needs a library that the rest does not

    return to_html(report)


def _xml(report: Report) -> bytes:
    from dummyio.validation.report.junit import to_xml  # noqa: PLC0415 - as above

    return to_xml(report)
