"""A saved failing case: its files, and its script."""

import subprocess
import sys

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

import small_models as small

import dummyio
from dummyio.errors import SourceError
from dummyio.exporting.artifact import spec_path
from dummyio.feeds import npz
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.failing_cases import replay


@pytest.fixture
def failed(tmp_path):
    path = small.write_onnx(tmp_path, by=1.01)
    report = dummyio.validate(path, small.perceptron, spec=small.FEATURES, failing=tmp_path / "cases")
    assert not report.ok
    (folder,) = report.failing
    return tmp_path, folder


def test_the_case_is_shrunk_and_saved_with_its_files(failed):
    _, folder = failed
    outcome = replay(folder)
    assert outcome.status == "failed"
    assert outcome.case.sizes == {"batch_size": 1}
    feeds = npz.read(f"{folder}/inputs.npz")
    np.testing.assert_array_equal(feeds["x"], Cases(small.FEATURES).feeds(outcome.case)["x"])
    np.testing.assert_array_equal(npz.read(f"{folder}/expected.npz")["scores"], small.perceptron(**feeds)["scores"])


def test_a_saved_case_runs_on_another_artifact(failed):
    home, folder = failed
    assert replay(folder, small.write_onnx(home)).status == "passed"


def test_the_script_runs_by_itself(failed):
    home, folder = failed
    again = subprocess.run([sys.executable, f"{folder}/replay.py"], capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (1, "")
    assert "failed" in again.stdout
    mended = [sys.executable, f"{folder}/replay.py", str(small.write_onnx(home))]
    assert subprocess.run(mended, capture_output=True, check=False).returncode == 0


def test_a_second_validation_replaces_the_folder(failed):
    home, folder = failed
    report = dummyio.validate(
        small.write_onnx(home, by=1.01), small.perceptron, spec=small.FEATURES, failing=home / "cases"
    )
    assert list(report.failing) == [folder]


def test_a_folder_without_a_case(tmp_path):
    with pytest.raises(SourceError, match="does not contain a failing case"):
        replay(tmp_path)


def test_a_passing_artifact_leaves_no_folder(tmp_path):
    path = small.write_onnx(tmp_path)
    report = dummyio.validate(path, small.perceptron, spec=small.FEATURES, failing=tmp_path / "cases")
    assert report.ok
    assert not (tmp_path / "cases").exists()


def test_a_case_of_an_artifact_whose_input_has_another_name_runs_again(tmp_path):
    onnx, torch = pytest.importorskip("onnx"), pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    torch.manual_seed(0)
    layers = [torch.nn.Linear(4, 3).eval() for _ in range(2)]
    artifact = dummyio.export(layers[0], tmp_path / "model.onnx", exporter="torchscript")
    model = onnx.load(artifact.path)
    onnx.save(onnx.compose.add_prefix(model, "their_", rename_outputs=False), artifact.path)
    spec_path(artifact.path).unlink()
    report = dummyio.validate(artifact.path, layers[1], failing=tmp_path / "cases")
    assert "names" in {finding.kind for finding in report.findings}
    outcome = replay(report.failing[0])
    assert (outcome.status, outcome.reason) == ("failed", "")
    assert not outcome.comparisons[0].ok
