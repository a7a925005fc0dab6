"""``dummyio doctor``: all reasons that stop an export in one report, each with the model's own line and the remedy."""

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from click.testing import CliRunner

from dummyio.cli import main
from dummyio.exporting.preview import required_packages

pytestmark = pytest.mark.slow

CODE = """
import warnings
import torch
from torch import nn

class Many(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x):
        self.calls += 1  # changes
        y = self.linear(x) + self.calls
        if y.sum() > 0:  # branches
            y = y + 1
        count = int(y.abs().sum())  # counts
        y = torch.special.bessel_j0(y)  # lacks
        if x.mean() > 0.5:  # branches again
            y = y * 2
        return y + torch.arange(3)[: count % 3 + 1].sum()

class Broken(nn.Module):
    def __init__(self):
        super().__init__()
        self.last = None
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        y = self.linear(x)
        self.last = y  # keeps
        if y.sum() > 0:  # asks
            y = y + 1
        return torch.from_numpy(y.detach().numpy())  # ends

class Random(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        y = nn.functional.dropout(self.linear(x), 0.5, training=True)  # draws
        return y.reshape(len(str(x.shape[0])) + x.shape[0] - 1, 3)

class Loops(nn.Module):
    def forward(self, x, scale):
        total = x[:, 0] * scale.sum()
        for place in range(x.shape[1]):  # loops
            total = total * 0.5 + x[:, place]
        return total

def sound():
    return nn.Sequential(nn.Conv1d(3, 4, 3), nn.BatchNorm1d(4), nn.Dropout(), nn.ReLU())

def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Linear(4, 3).eval())

def absent():
    with torch.device("meta"):
        return nn.Linear(4, 3)
"""
LINES = {
    comment: (f"mine.py:{number}", line.split("  # ")[0].strip())
    for number, line in enumerate(CODE.splitlines(), 1)
    if "  # " in line
    for comment in [line.split("  # ")[1]]
}
"""Comment → line and its text."""


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(__import__("sys").modules, "mine", raising=False)
    return tmp_path


def run(*arguments, code):
    done = CliRunner().invoke(main, ["doctor", *arguments])
    assert done.exit_code == code, done.output
    return done.output


def find_obstacles(*arguments, code=1):
    report = json.loads(run(*arguments, "--json", code=code))
    assert report["ok"] is (code == 0)
    for obstacle in report["obstacles"]:
        assert obstacle["remedy"] or not obstacle["stops"]
    return [
        (obstacle["kind"], obstacle["where"], obstacle["message"])
        for obstacle in report["obstacles"]
        if obstacle["stops"]
    ], [obstacle for obstacle in report["obstacles"] if not obstacle["stops"]]


def test_all_reasons_are_in_one_report_with_their_lines(code):
    found, _ = find_obstacles("mine.py:Many()")
    assert [(kind, where) for kind, where, _ in found] == [
        ("state", LINES["changes"][0]),
        ("value", LINES["branches"][0]),
        ("value", LINES["counts"][0]),
        ("value", LINES["branches again"][0]),
        ("operator", LINES["lacks"][0]),
    ]
    messages = [message for _, _, message in found]
    assert "a call changes the buffer calls, so the next one returns something else" in messages[0]
    assert "decides by values" in messages[1]
    assert "makes a number of a value" in messages[2]
    assert "ONNX has no translation of special_bessel_j0" in messages[4]
    assert [path.name for path in code.iterdir() if path.name != "__pycache__"] == ["mine.py"]


def test_the_text_has_each_line_and_the_remedy(code):
    output = run("mine.py:Many()", code=1)
    for comment in ("changes", "branches", "counts", "branches again", "lacks"):
        where, text = LINES[comment]
        assert f"{where}\n   > {text}" in output
    for remedy in (
        "Make the state an input",
        "torch.where",
        "Keep it a tensor",
        "write a format that has all operators",
    ):
        assert remedy in output
    assert "note: mode" in output
    assert output.endswith("not ok: 5 reasons stop the export.\n")


def test_another_format_has_all_operators(code):
    found, _ = find_obstacles("mine.py:Many()", "--format", "pt2")
    assert [kind for kind, _, _ in found] == ["state", "value", "value", "value"]


def test_a_trace_that_ends_shows_what_came_before(code):
    found, notes = find_obstacles("mine.py:Broken()")
    assert [(kind, where) for kind, where, _ in found] == [("value", LINES["asks"][0]), ("trace", LINES["ends"][0])]
    assert "numpy() is not supported" in found[1][2]
    (state,) = [note for note in notes if note["kind"] == "state"]
    assert (state["where"], state["code"].split("  # ")[0]) == LINES["keeps"]
    assert "changes the attribute last" in state["message"]


def test_random_numbers_and_a_size_as_text(code):
    found, _ = find_obstacles("mine.py:Random()", "--set", "static=batch_size")
    assert [(kind, where) for kind, where, _ in found] == [("random", LINES["draws"][0])]
    assert "dropout draws random numbers" in found[0][2]


def test_a_sound_model_has_no_reason(code):
    found, notes = find_obstacles("mine.py:sound()", code=0)
    assert found == []
    assert [note["kind"] for note in notes] == ["mode"]
    assert run("mine.py:sound()", code=0).endswith("ok: nothing was found that stops the export.\n")


def test_a_size_that_becomes_a_constant_has_its_line(code):
    """Code is rewritten so that it stays dynamic; without that it is an obstacle."""
    assert find_obstacles("mine.py:Loops()", code=0)[0] == []
    found, _ = find_obstacles("mine.py:Loops()", "--set", "rewrite=false")
    assert [(kind, where) for kind, where, _ in found] == [("size", LINES["loops"][0])]
    assert "a size becomes a constant" in found[0][2]


def test_modules_that_are_not_traced(code):
    found, notes = find_obstacles("mine.py:scripted()", code=0)
    assert (found, [note["kind"] for note in notes]) == ([], ["trace"])
    found, _ = find_obstacles("mine.py:scripted()", "--format", "pt2")
    assert "a part of the model is TorchScript" in found[0][2]


def test_weights_without_memory(code):
    found, _ = find_obstacles("mine.py:absent()")
    assert [kind for kind, _, _ in found] == ["memory"]
    assert "on the device 'meta'" in found[0][2]
    assert find_obstacles("mine.py:absent()", "--set", "weights=false", code=0)[0] == []


def test_a_model_of_another_framework_is_examined_without_a_trace(code):
    pytest.importorskip("keras")
    (code / "layers.py").write_text(
        "import keras\nmodel = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])\n"
    )
    report = json.loads(run("layers.py:model", "--json", code=0))
    assert report["format"] == "saved_model"
    assert "tensorflow" in report["versions"]
    assert "a model of TensorFlow is not traced here" in report["obstacles"][0]["message"]


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("mine.py:Many()", "--set", "opsett=18"), "The exporter has no such option either. Did you mean 'opset'?"),
        (("mine.py:Many()", "--set", "opset=banana"), "give a whole number"),
        (("mine.py:Many()", "--set", "static=banana"), "'banana' is not a dim of this model's inputs"),
        (("mine.py:Many()", "--format", "banana"), "format='banana' is unknown"),
        (("mine.py:Many()", "--format", "tflite"), "is of framework 'pt', which writes"),
        (("mine.py:CODE",), "has no 'CODE'"),
        (("nowhere.json",), "no such file"),
    ],
)
def test_wrong_usage_is_an_error_and_not_a_reason(code, arguments, reason):
    output = run(*arguments, code=2)
    assert output.startswith("error: ")
    assert reason in output


def test_versions_are_those_that_the_format_needs(code, monkeypatch):
    versions = {"torch": "2.12.1+cpu", "onnx": None, "onnxscript": "0.7.10", "onnx-ir": "1.1.0", "onnxruntime": None}
    monkeypatch.setattr(required_packages, "package_version", versions.__getitem__)
    bounds = {("torch", "torch"): "2.13", ("onnx", "onnx"): "1.19", ("onnx", "onnxscript"): "0.7.2"}
    monkeypatch.setattr(required_packages, "read_lower_bounds", lambda: bounds)
    found, notes = find_obstacles("mine.py:sound()")
    assert [message for kind, _, message in found if kind == "version"] == [
        "torch 2.12.1+cpu is older than 2.13, the oldest version that is tested.",
        "onnx is not installed: onnx cannot be written.",
    ]
    assert [
        "the written artifact is not checked" in note["message"] for note in notes if note["kind"] == "version"
    ] == [True]
    assert any("was not traced" in note["message"] for note in notes)


def test_lower_bounds_are_those_of_the_distribution():
    bounds = required_packages.read_lower_bounds()
    if not bounds:
        pytest.skip("dummyio is not installed")
    assert bounds["torch", "torch"] >= "2.13"
    assert ("onnx", "onnxscript") in bounds


def test_memory_that_an_export_needs(code, monkeypatch):
    class Memory:
        available = 100

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    found, _ = find_obstacles("mine.py:sound()")
    assert found[0][0] == "memory"
    assert "100 bytes are free" in found[0][2]
