"""A report as one page of HTML: nothing is loaded, and its own policy lets nothing run but its own few lines of script.

The template, the style and the script are files beside this one. Everything that comes from a report is escaped, for
names of outputs come from files that others made; no colour and no size is set by an attribute, which the policy forbids.
"""

from __future__ import annotations

import base64
import hashlib
from importlib import resources
from typing import TYPE_CHECKING, Any

from dummyio.errors import NotInstalledError
from dummyio.validation.data.records import Case
from dummyio.validation.report import histograms as bars
from dummyio.validation.report import number_text as text
from dummyio.validation.report.heat_map import LEGEND, ROOMY, heat_map

if TYPE_CHECKING:
    from types import ModuleType

    from dummyio.validation.data.report_data import ReportData

__all__ = ["require_library", "to_html"]


def to_html(report: ReportData) -> bytes:
    """Return the page, in UTF-8.

    Raises
    ------
    NotInstalledError
        where Jinja is not there.
    """
    jinja2 = require_library()
    style, script = _file("report.css"), _file("report.js")
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for function in (
        text.difference,
        text.element,
        text.number,
        text.share,
        text.seconds,
        text.sizes,
        _masks,
        _sorted_by,
    ):
        environment.filters[function.__name__.strip("_")] = function
    page = environment.from_string(_file("report.html.j2")).render(
        report=report,
        style=style,
        script=script,
        policy=_policy(style, script),
        **_view(report),
    )
    return text.clean(page).encode()


def require_library() -> ModuleType:
    """Return Jinja; raise `NotInstalledError` where it is missing."""
    try:
        import jinja2
    except ModuleNotFoundError as error:
        raise NotInstalledError(
            "A report in HTML needs jinja2, which is not installed. Install it: pip install 'dummyio[report]', "
            "or save the report as .json or .xml."
        ) from error
    return jinja2


def _file(name: str) -> str:
    return resources.files("dummyio.validation.report").joinpath(name).read_text(encoding="utf-8")


def _policy(style: str, script: str) -> str:
    """Return a content security policy that allows exactly this style and this script."""
    allowed = [base64.b64encode(hashlib.sha256(part.encode()).digest()).decode() for part in (style, script)]
    return (
        f"default-src 'none'; style-src 'sha256-{allowed[0]}'; script-src 'sha256-{allowed[1]}'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _view(report: ReportData) -> dict[str, Any]:
    """Return what the template needs beside the report itself."""
    outputs, rows = heat_map(report)
    drawn, folded = bars.histograms(report)
    counts = dict.fromkeys(("passed", "failed", "skipped"), 0)
    for outcome in report.outcomes:
        counts[outcome.status] += 1
    return {
        "counts": counts,
        "summaries": sorted(report.by_output(), key=lambda one: one.ok),
        "numbers": {outcome.case.name: place for place, outcome in reversed(list(enumerate(report.outcomes)))},
        "findings": (*report.errors, *report.warnings),
        "heat": {"outputs": outputs, "rows": rows, "legend": LEGEND, "dense": len(outputs) > ROOMY},
        "histograms": {"drawn": drawn, "folded": folded},
        "picture": {"width": bars.WIDTH, "height": bars.HEIGHT, "ticks": bars.TICKS},
        "worst": _worst(report),
    }


def _worst(report: ReportData) -> float | None:
    """Return the largest error as a multiple of its tolerance; None where some output was off in another way."""
    made = [one for outcome in report.outcomes for one in outcome.comparisons]
    if any(not one.ok and (one.nonfinite or not one.bound) for one in made):
        return None
    return max((one.max_abs / one.bound for one in made if one.bound), default=None)


def _masks(case: Case) -> str:
    """Return what a case does to masks and values; empty where they are as the spec has them."""
    values = {"drawn": "", "ends": "ends of ranges", "hidden_row": "last row hidden"}[case.values]
    return ", ".join(filter(None, [case.side and f"padded {case.side}", case.policy or "", values]))


def _sorted_by(value: float | None) -> str:
    """Return a number for the script to sort by."""
    return "" if value is None else f"{value:.6e}"
