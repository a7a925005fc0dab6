"""Validates a folder of several models, and joins the reports of an export's files into one."""

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dummyio.backend.formats import is_present
from dummyio.errors import SourceError
from dummyio.exporting.artifact import find_spec_path
from dummyio.exporting.companion_files import INDEX
from dummyio.exporting.folder_content import PARTS
from dummyio.exporting.parts.pipeline_models import FILE, is_pipeline, list_pipeline_models
from dummyio.validation.data.records import Case, Comparison, Finding, Outcome
from dummyio.validation.report.report import Report

_MAIN = "model.onnx"


def list_parts(place: Any) -> tuple[str, ...]:
    """Return the files of a folder that holds several models, each with its spec beside it; none for anything else."""
    if not isinstance(place, (str, os.PathLike)) or not is_present(place) or not Path(place).is_dir():
        return ()
    inner = Path(place).iterdir() if (Path(place) / INDEX).exists() else (Path(place) / PARTS,)
    folders = [folder for folder in (Path(place), *inner) if folder.is_dir()]
    files = (file for folder in folders for file in folder.iterdir() if file.is_file())
    found = sorted(str(file.relative_to(place)) for file in files if find_spec_path(file) is not None)
    is_alone = len(found) < 2 or any(name in (_MAIN, f"{PARTS}/{_MAIN}") for name in found)
    return () if is_alone else tuple(found)


def validate_parts(actual: Any, reference: Any, validate_part: Callable[[Path, Any], Report]) -> Report:
    """Validate each file of a folder of several models against the one of that name in another; one that only one of them has is an error.

    Raises
    ------
    SourceError
        If the two have no file of the same name.
    """
    ours, theirs = _find_parts(actual), _find_parts(reference)
    both = [name for name in ours if name in theirs]
    if not both:
        raise SourceError(
            f"{os.fspath(actual)} and {_name(reference)} have no model of the same name: nothing can be compared."
        )
    report = join_reports({name: validate_part(ours[name], theirs[name]) for name in both}, actual, _name(reference))
    sides = (("the reference", set(ours) - set(theirs)), ("the artifact", set(theirs) - set(ours)))
    alone = tuple(
        Finding("names", "error", name, f"{side} does not have this file.")
        for side, names in sides
        for name in sorted(names)
    )
    return msgspec.structs.replace(report, findings=(*alone, *report.findings))


def has_parts(place: Any) -> bool:
    """Return whether a folder holds several models, or an object does, such as a pipeline."""
    return is_pipeline(place) or bool(list_parts(place))


def _find_parts(place: Any) -> dict[str, Any]:
    if is_pipeline(place):
        return {f"{name}/{FILE}": found.model for name, found in list_pipeline_models(place).items()}
    return {name: Path(place) / name for name in list_parts(place)}


def _name(place: Any) -> str:
    return os.fspath(place) if isinstance(place, (str, os.PathLike)) else type(place).__qualname__


def join_reports(reports: Mapping[str, Report], actual: Any, reference: Any) -> Report:
    """Return one report of several files: the names of cases, inputs and outputs begin with that of their file."""
    first = next(iter(reports.values()))
    specs = hashlib.sha256("".join(report.spec for report in reports.values()).encode()).hexdigest()
    return msgspec.structs.replace(
        first,
        actual=os.fspath(actual),
        reference=None if reference is None else str(reference),
        spec=specs,
        outcomes=tuple(_prefix_outcome(name, each) for name, report in reports.items() for each in report.outcomes),
        findings=tuple(_prefix_finding(name, each) for name, report in reports.items() for each in report.findings),
        tolerances={
            f"{name}: {key}": value for name, report in reports.items() for key, value in report.tolerances.items()
        },
        inputs=tuple(
            msgspec.structs.replace(row, name=f"{name}: {row.name}")
            for name, report in reports.items()
            for row in report.inputs
        ),
        runs={side: sum(report.runs[side] for report in reports.values()) for side in first.runs},
        failing=tuple(folder for report in reports.values() for folder in report.failing),
        run=msgspec.structs.replace(
            first.run,
            seconds={key: sum(report.seconds[key] for report in reports.values()) for key in first.seconds},
            case_seconds=tuple(took for report in reports.values() for took in report.run.case_seconds),
        ),
    )


def _prefix_outcome(name: str, outcome: Outcome) -> Outcome:
    case: Case = msgspec.structs.replace(outcome.case, name=f"{name}: {outcome.case.name}")
    made: Iterator[Comparison] = (
        msgspec.structs.replace(one, output=f"{name}: {one.output}") for one in outcome.comparisons
    )
    return msgspec.structs.replace(outcome, case=case, comparisons=tuple(made))


def _prefix_finding(name: str, finding: Finding) -> Finding:
    cases = tuple(f"{name}: {case}" for case in finding.cases)
    return msgspec.structs.replace(finding, where=f"{name}: {finding.where}", cases=cases)
