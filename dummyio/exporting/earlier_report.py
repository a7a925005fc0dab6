"""Whether a file is a report of an earlier validation, which a new one replaces unasked."""

import re
from pathlib import Path

import msgspec

from dummyio.backend.formats import is_present


class _Outline(msgspec.Struct):
    """Fields that reports of all versions have."""

    actual: str
    outcomes: list[msgspec.Raw]
    findings: list[msgspec.Raw]


_MARKS = {
    ".html": re.compile(rb"<title>(\xe2\x9c\x93|\xe2\x9c\x97) .*: validation</title>"),
    ".xml": re.compile(rb"<testsuites name=\"dummyio validate\""),
}
_HEAD = 1 << 16


def is_report(path: Path) -> bool:
    """Return whether a file has the suffix and the content of a report."""
    mark = _MARKS.get(path.suffix)
    if not (is_present(path) and path.is_file()) or (mark is None and path.suffix != ".json"):
        return False
    with path.open("rb") as stream:
        if mark is not None:
            return mark.search(stream.read(_HEAD)) is not None
        try:
            msgspec.json.decode(stream.read(), type=_Outline)
        except (msgspec.MsgspecError, ValueError, RecursionError):
            return False
        return True
