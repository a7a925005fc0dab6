"""`Report`: the results of a validation; written as JSON, HTML or JUnit XML, and read back from JSON."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import msgspec

from dummyio.atomic_files import atomic_file, check_file_path
from dummyio.errors import OutputError, SourceError, format_error_line, to_path
from dummyio.exporting.earlier_report import is_report
from dummyio.validation.data.report_data import ReportData

_SUFFIXES = (".json", ".html", ".xml")


def check_report_path(path: str | os.PathLike[str], *, force: bool = True) -> None:
    """Raise if a report cannot be written in the format of the suffix.

    Parameters
    ----------
    path
        The path of the report.
    force
        Whether any file is replaced; otherwise only an earlier report.

    Raises
    ------
    OutputError
        if the suffix is unknown, or a file cannot be written or replaced.
    NotInstalledError
        if the format needs a library that is not installed.
    """
    suffix = to_path(path).suffix
    if suffix not in _SUFFIXES:
        raise OutputError(f"{os.fspath(path)}: the suffix of a report must be one of {', '.join(_SUFFIXES)}.")
    if suffix == ".html":
        from dummyio.validation.report.html import require_jinja  # noqa: PLC0415 - lazy: only for pages

        require_jinja()
    check_file_path(path, force=force or is_report(Path(path)))


_NOT_ASCII = re.compile(r"[^\n -~]+")


def _escape_unprintable(text: str) -> str:
    return "".join(letter if letter.isprintable() else json.dumps(letter)[1:-1] for letter in text)


class Report(ReportData, frozen=True, kw_only=True):
    """The result of a validation, and its files."""

    def __str__(self) -> str:
        from dummyio.validation.report.terminal import to_text  # noqa: PLC0415 - lazy: needs rich

        return to_text(self)

    def to_json(self) -> bytes:
        """Return the report as JSON, which `load` reads; characters that cannot be printed are escaped."""
        text = msgspec.json.format(msgspec.json.encode({**msgspec.to_builtins(self), "ok": self.ok}), indent=2)
        return _NOT_ASCII.sub(lambda found: _escape_unprintable(found[0]), text.decode()).encode()

    @classmethod
    def from_json(cls, text: str | bytes) -> Report:
        """Read the JSON form of a report; raise `SourceError` for any other text."""
        try:
            return msgspec.json.decode(text, type=cls)
        except msgspec.DecodeError as error:
            raise SourceError(f"this is not a report of a validation: {error}.") from error

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Report:
        """Read a ``.json`` file that `save` wrote; errors as `from_json`."""
        place = to_path(path)
        try:
            text = place.read_bytes()
        except (OSError, ValueError) as error:
            raise SourceError(f"{os.fspath(path)}: cannot be read ({format_error_line(error)}).") from error
        return cls.from_json(text)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the report completely or not at all: ``.json``, ``.html`` (one page that loads nothing), ``.xml`` (JUnit).

        Raises
        ------
        OutputError
            if the suffix is another one, or the file cannot be written.
        NotInstalledError
            if Jinja is not installed, for ``.html``.
        """
        check_report_path(path)
        content = self._encode(Path(path).suffix)
        with atomic_file(path) as stream:
            stream.write(content)

    def _encode(self, suffix: str) -> bytes:
        if suffix == ".json":
            return self.to_json()
        if suffix == ".html":
            from dummyio.validation.report.html import to_html  # noqa: PLC0415 - lazy: only for pages

            return to_html(self)
        from dummyio.validation.report.junit import to_xml  # noqa: PLC0415 - lazy: only for this format

        return to_xml(self)
