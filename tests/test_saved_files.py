"""Files that an earlier version saved: specs, a report, and a failing case with its script."""

import subprocess
import sys
from pathlib import Path

import pytest

import dummyio

SAVED = Path(__file__).parent / "data" / "saved"
HASHES = {
    "bert": "3db0df68857e97d17cef5567d2abd73396062b9f9530b42b3f82386e705425e1",
    "every_rule": "0e57a3983cf52f704d0ce224889ea01d6c389390b06f0f7f6b8246d7ac2cbfcd",
    "gpt2": "74378b35dd439e21b5a350789da2a6b39844bfe54581e984f3e4b4374265ca8c",
}


@pytest.mark.parametrize("name", HASHES)
def test_a_saved_spec_loads_with_its_hash(name, tmp_path):
    spec = dummyio.InputSpec.load(SAVED / f"{name}.json")
    assert spec.sha256 == HASHES[name]
    spec.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (SAVED / f"{name}.json").read_bytes()


def test_a_spec_of_today_is_written_as_it_was_saved(zoo, pytestconfig):
    assert zoo.sha256 == HASHES["every_rule"]
    assert dummyio.describe(pytestconfig.rootpath / "examples/bert-base/config.json").sha256 == HASHES["bert"]


def test_a_saved_report_loads():
    from dummyio.validation import Report

    report = Report.load(SAVED / "report.json")
    assert not report.ok
    assert [case.case.sizes["batch_size"] for case in report.outcomes] == [3, 3, 5, 1, 8, 3]
    assert "not ok: 0 of 6 cases passed, 1 error, 0 warnings." in str(report)


def test_the_script_of_a_saved_failing_case_runs():
    pytest.importorskip("onnxruntime")
    command = [sys.executable, SAVED / "failing_case" / "replay.py", SAVED / "model.onnx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "beyond the tolerance: 8 of 8 elements" in done.stdout
