"""A report as one HTML page that loads nothing; its content security policy allows its own style and script only.

Template, style and script are files next to this module. All text of a report is escaped, since names of outputs come from
files of others; colors and sizes are never set by attributes, which the policy forbids.
"""

import base64
import hashlib
from collections import Counter
from importlib import resources
from inspect import isfunction
from types import ModuleType
from typing import Any

from dummyio.errors import NotInstalledError
from dummyio.validation.data.report_data import ReportData
from dummyio.validation.report import number_text
from dummyio.validation.report.heat_map import LEGEND, MOST_WITH_TEXT, build_heat_map
from dummyio.validation.report.histograms import SLOTS, TICKS, build_histograms


def to_html(report: ReportData) -> bytes:
    """Return the page in UTF-8.

    Raises
    ------
    NotInstalledError
        if Jinja is not installed.
    """
    jinja2 = require_jinja()
    style, script = _read_text("report.css"), _read_text("report.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {name: value for name, value in vars(number_text).items() if isfunction(value)}
    page = environment.from_string(_read_text("report.html.j2")).render(
        report=report, style=style, script=script, policy=_content_policy(style, script), **_view(report)
    )
    return number_text.replace_unwritable(page).encode()


def require_jinja() -> ModuleType:
    """Return the module `jinja2`; raise `NotInstalledError` if it is missing."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "A report in HTML needs jinja2, which is not installed. Install it: pip install 'dummyio[report]', "
            "or save the report as .json or .xml."
        ) from error
    return jinja2


def _read_text(name: str) -> str:
    return resources.files("dummyio.validation.report").joinpath(name).read_text(encoding="utf-8")


def _content_policy(style: str, script: str) -> str:
    """Return a content security policy that allows exactly this style and this script."""
    allowed = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{allowed[0]}'; script-src 'sha256-{allowed[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _view(report: ReportData) -> dict[str, Any]:
    """Return the variables of the template other than the report itself."""
    summaries = sorted(report.by_output(), key=lambda one: one.ok)
    outputs = [one.output for one in summaries]
    shown, folded = build_histograms(report)
    return {
        "counts": Counter(outcome.status for outcome in report.outcomes),
        "summaries": summaries,
        "numbers": {outcome.case.name: place for place, outcome in reversed(list(enumerate(report.outcomes)))},
        "findings": (*report.errors, *report.known, *report.warnings),
        "good": "passed" if report.reference is not None else "ran",
        "heat": {"outputs": outputs, "rows": build_heat_map(report, outputs), "legend": LEGEND},
        "histograms": {"shown": shown, "folded": folded},
        "dense": len(outputs) > MOST_WITH_TEXT,
        "slots": SLOTS,
        "ticks": TICKS,
        "worst": _worst_ratio(report),
    }


def _worst_ratio(report: ReportData) -> float | None:
    """Return the largest error as a multiple of its tolerance; None if some difference has no such ratio."""
    made = [one for outcome in report.outcomes for one in outcome.comparisons]
    if any(not one.ok and (one.nonfinite or not one.bound) for one in made):
        return None
    return max((one.max_abs / one.bound for one in made if one.bound), default=None)
