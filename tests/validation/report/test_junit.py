"""JUnit XML, read as by a CI system."""

import re
from xml.etree import ElementTree as ET

import msgspec
import pytest

from dummyio.validation.data.records import Case, Finding, Outcome

pytest.importorskip("onnxruntime")

from dummyio.validation.report.junit import to_xml

COUNTS = ("tests", "failures", "errors", "skipped")
STRUCTURE = {
    "testsuites": ({"name", "time", *COUNTS}, {"testsuite"}),
    "testsuite": ({"name", "time", *COUNTS}, {"properties", "testcase"}),
    "properties": (set(), {"property"}),
    "property": ({"name", "value"}, set()),
    "testcase": ({"classname", "name", "time"}, {"failure", "error", "skipped", "system-out"}),
    "failure": ({"message", "type"}, set()),
    "error": ({"message", "type"}, set()),
    "skipped": ({"message"}, set()),
    "system-out": (set(), set()),
}
"""Tag → its attributes and children in the schema of Jenkins."""


def read(report):
    content = to_xml(report)
    root = ET.fromstring(content)
    for node in root.iter():
        attributes, inside = STRUCTURE[node.tag]
        assert set(node.attrib) == attributes
        assert {child.tag for child in node} <= inside
        assert all(len(case) <= 1 for case in node.iter("testcase"))
        assert re.fullmatch(r"\d+\.\d+", node.get("time", "0.0"))
    (suite,) = root
    cases = suite.findall("testcase")
    found = {"tests": len(cases)} | {
        name: sum(case.find(tag) is not None for case in cases)
        for name, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped"))
    }
    for node in (root, suite):
        assert {name: int(node.get(name)) for name in COUNTS} == found
        assert float(node.get("time")) == pytest.approx(sum(float(case.get("time")) for case in cases), abs=1e-6)
    names = [(case.get("classname"), case.get("name")) for case in cases]
    assert len(set(names)) == len(names), "readers keep one result for each name"
    return suite, found


def test_a_report_that_passes(sound):
    suite, found = read(sound)
    assert found == {"tests": len(sound.outcomes) + 1, "failures": 0, "errors": 0, "skipped": 0}
    first = suite.find("testcase")
    assert first.get("classname") == sound.actual
    assert first.get("name") == "distinct sizes [batch_size=3, sequence_length=5]"
    assert float(first.get("time")) > 0


def test_a_report_that_fails(wrong):
    suite, found = read(wrong)
    unrun = [outcome for outcome in wrong.outcomes if not outcome.comparisons]
    off = [outcome for outcome in wrong.outcomes if outcome.comparisons and outcome.status == "failed"]
    assert found["tests"] == len(wrong.outcomes) + len(wrong.findings) + 1
    assert (found["errors"], found["failures"]) == (len(unrun), len(off) + len(wrong.errors) + 1)
    failure = suite.find("testcase/failure")
    assert "43 of 45 elements" in failure.get("message")
    assert re.search(
        r"shifted float32 \[3, 5, 3\]: max abs 2\.0e-04, .* at \[\d, \d, \d\] the reference has", failure.text
    )
    assert "seed=0, sample=0, batch_size=3, sequence_length=5" in failure.text
    assert "Reshape" in suite.find("testcase/error").text


def test_a_report_that_is_not_ok_never_passes(sound):
    skipped = tuple(Outcome(one.case, "skipped", reason="it is too large") for one in sound.outcomes)
    report = msgspec.structs.replace(sound, outcomes=skipped)
    assert not report.ok
    suite, found = read(report)
    assert (found["skipped"], found["failures"]) == (len(skipped), 1)
    assert suite.find("testcase/skipped").get("message") == "it is too large"


def test_a_warning_passes_with_its_text(sound):
    told = Finding("vacuous", "warning", "logits", "agreement proves nothing.", ("distinct sizes",))
    suite, found = read(msgspec.structs.replace(sound, findings=(told, told)))
    assert found["failures"] == 0
    assert suite.find("testcase/system-out").text == "warning: agreement proves nothing.\nin distinct sizes"
    assert [case.get("name") for case in suite.iter("testcase")][-3:-1] == ["vacuous: logits", "vacuous: logits (2)"]


def test_names_are_text(large):
    suite, _ = read(large)
    name = next(one.output for one in large.by_output() if not one.ok)
    assert f"values: {name}" in {case.get("name") for case in suite.iter("testcase")}


def test_characters_that_xml_cannot_represent(sound):
    reason = "a\0b\x1b[31mc\x85\ud800\ufffe\U0001f600\td\n"
    outcome = Outcome(Case("x\0y", {"n": 1}), "failed", reason=reason)
    suite, _ = read(msgspec.structs.replace(sound, outcomes=(outcome,), actual="m\x07.onnx"))
    assert suite.get("name") == "m\N{REPLACEMENT CHARACTER}.onnx"
    assert suite.find("testcase").get("name") == "x\N{REPLACEMENT CHARACTER}y [n=1]"
    text = suite.find("testcase/error").text
    assert text.startswith("a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31mc\x85")
    assert "\U0001f600\td\n" in text


def test_without_a_reference(alone):
    suite, found = read(alone)
    assert found["failures"] == 0
    assert suite.find("properties/property[@name='reference']").get("value") == "none"
