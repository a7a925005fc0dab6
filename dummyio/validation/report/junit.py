"""A report as JUnit XML for CI systems: a test case for each case, one for each finding, and a last one.

A case with differences is a failure; a case in which the artifact did not run is an error. A warning is a test case that
passes, with its text as output. The last test case fails if no case passed, so that a report that is not ok never passes.
"""

from collections import Counter
from collections.abc import Iterator
from xml.etree import ElementTree as ET

from dummyio.validation.data.records import Comparison, Finding, Outcome
from dummyio.validation.data.report_data import ReportData
from dummyio.validation.report.number_text import (
    describe_changes,
    describe_comparison,
    format_sizes,
    replace_unwritable,
)


def to_xml(report: ReportData) -> bytes:
    """Return the XML in UTF-8; the same report gives the same bytes."""
    root = ET.Element("testsuites", name="dummyio validate")
    suite = ET.SubElement(root, "testsuite", name=replace_unwritable(report.actual))
    suite.append(_properties(report))
    seen: Counter[str] = Counter()
    for case in _test_cases(report):
        name = case.get("name", "")
        seen[name] += 1
        if seen[name] > 1:  # readers keep one result for each name
            case.set("name", f"{name} ({seen[name]})")
        case.set("classname", replace_unwritable(report.actual))
        suite.append(case)
    counts = {"tests": "testcase", "failures": "*/failure", "errors": "*/error", "skipped": "*/skipped"}
    # The sum over the test cases, not the time of the validation: readers add up, and report a difference.
    time = _format_time(sum(float(case.get("time", 0)) for case in suite.iter("testcase")))
    for one in (root, suite):
        for name, tag in counts.items():
            one.set(name, str(len(suite.findall(tag))))
        one.set("time", time)
    ET.indent(root)
    return ET.tostring(root, encoding="utf-8", xml_declaration=True)


def _properties(report: ReportData) -> ET.Element:
    facts = {
        "reference": report.reference or "none",
        "spec": report.spec,
        "seed": str(report.seed),
        "seconds": _format_time(report.seconds.get("total", 0.0)),
        **{f"version.{name}": version for name, version in report.versions.items()},
        "date": report.run.date,
        "host": report.run.host,
        "command": " ".join(report.run.command),
    }
    properties = ET.Element("properties")
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=replace_unwritable(name), value=replace_unwritable(value))
    return properties


def _test_cases(report: ReportData) -> Iterator[ET.Element]:
    took = dict(enumerate(map(sum, report.run.case_seconds)))
    yield from (_case_of_outcome(outcome, took.get(place, 0.0)) for place, outcome in enumerate(report.outcomes))
    yield from map(_case_of_finding, (*report.errors, *report.known, *report.warnings))
    last = _test_case("some case passed")
    if not any(outcome.status in ("passed", "ran") for outcome in report.outcomes):
        _add_result(last, "failure", "vacuous", "no case passed: nothing proves that the artifact is correct")
    yield last


def _test_case(name: str, seconds: float = 0.0) -> ET.Element:
    return ET.Element("testcase", name=replace_unwritable(name), time=_format_time(seconds))


def _case_of_outcome(outcome: Outcome, seconds: float) -> ET.Element:
    sizes = format_sizes(outcome.case)
    name = f"{outcome.case.name} [{sizes}]" if sizes else outcome.case.name
    made = _test_case(name, seconds)
    if outcome.status == "skipped":
        _add_result(made, "skipped", None, outcome.reason)
    elif outcome.status == "failed" and outcome.comparisons:
        wrong = [one for one in outcome.comparisons if not one.ok]
        message = "; ".join(f"{one.output}: {one.reason}" for one in wrong) or outcome.reason
        _add_result(made, "failure", "values", message, "\n".join([*map(_numbers, wrong), _recipe(outcome)]))
    elif outcome.status == "failed":
        first_line = outcome.reason.partition("\n")[0]
        _add_result(made, "error", "run", first_line, f"{outcome.reason}\n{_recipe(outcome)}")
    return made


def _case_of_finding(finding: Finding) -> ET.Element:
    made = _test_case(f"{finding.kind}: {finding.where}")
    cases = f"\nin {', '.join(finding.cases)}" if finding.cases else ""
    if finding.severity == "error":
        text = f"{finding.where}: {finding.message}{cases}"
        _add_result(made, "failure", finding.kind, finding.message, text)
    else:
        ET.SubElement(made, "system-out").text = replace_unwritable(f"warning: {finding.message}{cases}")
    return made


def _numbers(made: Comparison) -> str:
    text = f"{made.output} {made.dtype} {list(made.shape)}: {describe_comparison(made)}"
    if made.histogram:
        text += f"; mean abs {made.mean_abs:.3e}, max rel {made.max_rel:.3e}, cosine {made.cosine:.6f}"
    if made.worst is not None:
        text += f"; {made.worst}"
    return text


def _recipe(outcome: Outcome) -> str:
    """Return the values that reproduce the inputs of a case."""
    case, changes = outcome.case, describe_changes(outcome.case)
    return f"seed={case.seed}, sample={case.sample}, {format_sizes(case)}" + (f"; {changes}" if changes else "")


def _add_result(case: ET.Element, tag: str, kind: str | None, message: str, text: str = "") -> None:
    result = ET.SubElement(case, tag, message=replace_unwritable(message))
    if kind is not None:
        result.set("type", kind)
    if text:
        result.text = replace_unwritable(text)


def _format_time(seconds: float) -> str:
    return f"{seconds:.6f}"
