"""A report as JSON and back, and the suffixes of its files."""

import json

import msgspec
import pytest

from dummyio.errors import OutputError, SourceError
from dummyio.validation.report.report import Report

pytest.importorskip("onnxruntime")


@pytest.mark.parametrize("name", ["sound", "wrong", "large", "alone"])
def test_round_trip(request, name, tmp_path):
    report = request.getfixturevalue(name)
    report.save(tmp_path / "report.json")
    assert Report.load(tmp_path / "report.json") == report
    assert json.loads((tmp_path / "report.json").read_text())["ok"] is report.ok


def test_nan_survives_the_round_trip(wrong):
    """JSON has no NaN: written as null, it would make the report of this failure unreadable."""
    (place,) = {made.worst.actual for made in wrong.outcomes[0].comparisons if made.nonfinite}
    assert place == "nan"
    assert "nan" in wrong.to_json().decode()


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"\xff", b'{"format": 1, "actual": 3}'])
def test_text_that_is_not_a_report(content):
    with pytest.raises(SourceError, match="is not a report"):
        Report.from_json(content)


def test_other_suffixes(sound, tmp_path):
    with pytest.raises(OutputError, match=r"\.json, \.html, \.xml"):
        sound.save(tmp_path / "report.pdf")


def test_characters_that_change_a_terminal_are_escaped_in_json(sound):
    report = msgspec.structs.replace(sound, actual="a\u202eb\x9bc\U000e0001 é")
    text = report.to_json().decode()
    assert all(line.isprintable() for line in text.split("\n"))
    assert r"a\u202eb\u009bc\udb40\udc01 é" in text
    assert Report.from_json(text) == report
