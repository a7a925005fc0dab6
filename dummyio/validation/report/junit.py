"""A report as JUnit's XML, as CI systems read it: a test case for each case, for each finding, and one for having compared.

A case that is off is a failure; one in which the artifact did not run is an error. Warnings are test cases that pass, and
say what they have to say in their output. What is not ok is never green: where nothing passed, the last test case fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from dummyio.validation.data.records import Comparison, Finding, Outcome
from dummyio.validation.report.number_text import clean, difference, element, sizes

if TYPE_CHECKING:
    from dummyio.validation.data.report_data import ReportData

__all__ = ["to_xml"]


def to_xml(report: ReportData) -> bytes:
    """Return the XML, in UTF-8; the same bytes for the same report."""
    suite = ET.Element("testsuite", name=clean(report.actual))
    suite.append(_properties(report))
    for case in _test_cases(report):
        case.set("classname", clean(report.actual))
        suite.append(case)
    _make_unique(suite)
    counts = {
        "tests": len(suite.findall("testcase")),
        "failures": len(suite.findall("testcase/failure")),
        "errors": len(suite.findall("testcase/error")),
        "skipped": len(suite.findall("testcase/skipped")),
    }
    # Its own sum, and not all that the validation took: readers add up, and complain where it is not the same.
    time = _time(sum(float(case.get("time", 0)) for case in suite.iter("testcase")))
    root = ET.Element("testsuites", name="dummyio validate")
    for one in (suite, root):
        for name, count in counts.items():
            one.set(name, str(count))
        one.set("time", time)
    root.append(suite)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _properties(report: ReportData) -> ET.Element:
    facts = {
        "reference": report.reference or "none",
        "spec": report.spec,
        "seed": str(report.seed),
        "seconds": _time(report.seconds.get("total", 0.0)),
        **{f"version.{name}": version for name, version in report.versions.items()},
    }
    properties = ET.Element("properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=clean(name), value=clean(value))
    return properties


def _test_cases(report: ReportData) -> Iterator[ET.Element]:
    for outcome in report.outcomes:
        yield _of_outcome(outcome)
    for finding in (*report.errors, *report.warnings):
        yield _of_finding(finding)
    passed = sum(outcome.status == "passed" for outcome in report.outcomes)
    last = ET.Element("testcase", name="some case passed", time=_time(0))
    if not passed:
        _tell(last, "failure", "vacuous", "no case passed: nothing shows that the artifact is right", "")
    yield last


def _of_outcome(outcome: Outcome) -> ET.Element:
    where = sizes(outcome.case)
    name = f"{outcome.case.name} [{where}]" if where else outcome.case.name
    took = _time(outcome.reference_seconds + outcome.actual_seconds)
    made = ET.Element("testcase", name=clean(name), time=took)
    if outcome.status == "skipped":
        _tell(made, "skipped", None, outcome.reason, "")
    elif outcome.status == "failed" and outcome.comparisons:
        wrong = [one for one in outcome.comparisons if not one.ok]
        message = "; ".join(f"{one.output}: {one.reason}" for one in wrong) or outcome.reason
        _tell(made, "failure", "values", message, "\n".join([*map(_numbers, wrong), *_recipe(outcome)]))
    elif outcome.status == "failed":
        _tell(made, "error", "run", outcome.reason.partition("\n")[0], "\n".join([outcome.reason, *_recipe(outcome)]))
    return made


def _of_finding(finding: Finding) -> ET.Element:
    made = ET.Element("testcase", name=clean(f"{finding.kind}: {finding.where}"), time=_time(0))
    shown = f"shown by: {', '.join(finding.cases)}" if finding.cases else ""
    if finding.severity == "error":
        _tell(made, "failure", finding.kind, finding.message, f"{finding.where}: {finding.message}\n{shown}".rstrip())
    else:
        text = f"warning: {finding.message}\n{shown}".rstrip()
        ET.SubElement(made, "system-out").text = clean(text)
    return made


def _numbers(made: Comparison) -> str:
    text = f"{made.output} {made.dtype} {list(made.shape)}: {difference(made)}"
    if made.histogram:
        text += f"; mean abs {made.mean_abs:.3e}, max rel {made.max_rel:.3e}, cosine {made.cosine:.6f}"
    if made.worst is not None:
        at = f"at {list(made.worst.index)} the reference has {element(made.worst.reference)}"
        text += f"; {at}, the artifact {element(made.worst.actual)}"
    return text


def _recipe(outcome: Outcome) -> list[str]:
    case = outcome.case
    changed = {"side": case.side, "policy": case.policy, "values": case.values}
    what = ", ".join(f"{name}={value}" for name, value in changed.items() if value not in (None, "drawn"))
    return [f"seed={case.seed}, sample={case.sample}, {sizes(case)}" + (f"; {what}" if what else "")]


def _tell(case: ET.Element, tag: str, kind: str | None, message: str, text: str) -> None:
    told = ET.SubElement(case, tag, message=clean(message))
    if kind is not None:
        told.set("type", kind)
    if text:
        told.text = clean(text)


def _make_unique(suite: ET.Element) -> None:
    """Number names that stand twice: readers keep one result for each name."""
    seen: dict[str, int] = {}
    for case in suite.iter("testcase"):
        name = case.get("name", "")
        seen[name] = seen.get(name, 0) + 1
        if seen[name] > 1:
            case.set("name", f"{name} ({seen[name]})")


def _time(seconds: float) -> str:
    return f"{seconds:.6f}"
