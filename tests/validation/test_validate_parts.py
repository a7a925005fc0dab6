"""Folders of several models: files of one name are compared, and all are in one report."""

import pytest
import small_models as small

import dummyio
from dummyio.errors import SourceError
from dummyio.exporting.artifact import spec_path
from dummyio.validation import Report


@pytest.fixture
def write_parts(tmp_path):
    def write(folder, **factors):
        target = tmp_path / folder
        target.mkdir()
        for name, by in factors.items():
            path = small.write_onnx(target, by=by).rename(target / f"{name}.onnx")
            small.FEATURES.save(spec_path(path))
        return target

    return write


def test_a_folder_is_right_against_itself(write_parts):
    folder = write_parts("out", encoder=1.0, decoder=2.0)
    report = dummyio.validate(folder, folder)
    assert report.ok
    one = dummyio.validate(folder / "encoder.onnx", folder / "encoder.onnx")
    assert len(report.outcomes) == 2 * len(one.outcomes)
    assert {summary.output for summary in report.by_output()} == {"encoder.onnx: scores", "decoder.onnx: scores"}
    assert [row.name for row in report.inputs] == ["decoder.onnx: x", "encoder.onnx: x"]
    assert report.runs["actual"] == 2 * one.runs["actual"]


def test_a_defect_is_found_in_its_file(write_parts, tmp_path):
    ours, theirs = write_parts("ours", encoder=1.0, decoder=2.0), write_parts("theirs", encoder=1.0, decoder=2.5)
    report = dummyio.validate(ours, theirs)
    assert {(finding.kind, finding.where) for finding in report.errors} == {("values", "decoder.onnx: scores")}
    assert all(case.startswith("decoder.onnx: ") for case in report.errors[0].cases)
    for suffix in ("json", "xml"):
        report.save(tmp_path / f"report.{suffix}")
    assert Report.load(tmp_path / "report.json") == report
    assert dummyio.validate(ours, theirs, baseline=tmp_path / "report.json").ok


def test_a_file_that_only_one_has_is_an_error(write_parts):
    report = dummyio.validate(
        write_parts("ours", encoder=1.0, decoder=2.0), write_parts("theirs", encoder=1.0, head=1.0)
    )
    assert [(finding.where, finding.message) for finding in report.errors] == [
        ("decoder.onnx", "the reference does not have this file."),
        ("head.onnx", "the artifact does not have this file."),
    ]


def test_folders_without_a_common_file_are_refused(write_parts):
    with pytest.raises(SourceError, match="have no model of the same name: nothing can be compared"):
        dummyio.validate(write_parts("ours", a=1.0, b=1.0), write_parts("theirs", c=1.0, d=1.0))
