"""The stages of an export, as a listener gets them."""

import threading

import pytest

import dummyio
from dummyio.exporting.stages import has_listener, listen_to_stages, report_stage


def test_a_stage_reports_its_begin_its_steps_and_its_end():
    stages = []
    with listen_to_stages(stages.append), report_stage("trace", "model.onnx") as report_step:
        report_step("case 3 of 14")
    assert [(stage.name, stage.subject, stage.state, stage.step) for stage in stages] == [
        ("trace", "model.onnx", "begun", ""),
        ("trace", "model.onnx", "begun", "case 3 of 14"),
        ("trace", "model.onnx", "done", ""),
    ]
    assert stages[0].seconds <= stages[-1].seconds


def test_a_stage_that_raises_has_failed():
    stages = []
    with pytest.raises(KeyboardInterrupt), listen_to_stages(stages.append), report_stage("write"):
        raise KeyboardInterrupt
    assert [stage.state for stage in stages] == ["begun", "failed"]
    assert not has_listener()


def test_without_a_listener_nothing_is_reported():
    stages = []
    with listen_to_stages(stages.append), listen_to_stages(None), report_stage("write") as report_step:
        report_step("ignored")
    assert stages == []


def test_another_thread_reports_to_nobody():
    found = []
    with listen_to_stages(found.append):
        other = threading.Thread(target=lambda: found.append(has_listener()))
        other.start()
        other.join()
        assert has_listener()
    assert found == [False]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("model.onnx", {"exporter": "torchscript"}, ["describe", "trace", "passes", "write", "check"]),
        ("model.pt2", {}, ["describe", "trace", "write", "check"]),
    ],
)
def test_an_export_reports_its_stages_in_order(tmp_path, name, options, expected):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    stages = []
    spec = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (dummyio.Dim("batch_size", 2), 4))})
    with listen_to_stages(stages.append):
        dummyio.export(torch.nn.Linear(4, 3), tmp_path / name, spec=spec, **options)
    assert [stage.name for stage in stages if stage.state == "done"] == expected
    assert {stage.subject for stage in stages[2:]} == {name}
    assert not [stage for stage in stages if stage.state == "failed"]
