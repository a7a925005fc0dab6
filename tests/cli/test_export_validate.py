"""``dummyio export`` and ``dummyio validate`` as a user runs them."""

import json
import signal
import subprocess
import sys
import time

import pytest

pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")

from click.testing import CliRunner

from dummyio.cli import main
from dummyio.validation import Report

pytestmark = pytest.mark.slow

CODE = """
import time
from pathlib import Path
import torch
torch.manual_seed(0)

class Model(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x)

class Slow(Model):
    def forward(self, x):
        if Path("out").exists():  # while it is written, and not while it is described
            time.sleep(600)
        return self.linear(x)

class Never(Model):
    def forward(self, x):
        Path("called").touch()
        time.sleep(600)

def slow():
    return Slow()

def never():
    return Never()

model = Model()
other = Model()
"""


@pytest.fixture
def code(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    return "mine.py"


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


def test_export_validates_and_reports(code, tmp_path):
    done = run("export", f"{code}:model", "out/model.onnx", "--report", "a.json", "--report", "a.xml")
    assert done.exit_code == 0, done.output
    assert "Wrote out/model.onnx" in done.output
    assert "ok: " in done.output
    assert Report.load("a.json").ok
    assert (tmp_path / "a.xml").exists()
    again = run("export", f"{code}:model", "out/model.onnx")
    assert again.exit_code == 2
    assert "would be lost" in again.output


def test_a_mismatch_is_exit_code_1_and_saves_failing_cases(code, tmp_path):
    assert run("export", f"{code}:model", "out/model.onnx", "--no-validate").exit_code == 0
    good = run("validate", "out/model.onnx", "--reference", f"{code}:model", "--json")
    assert good.exit_code == 0, good.output
    assert json.loads(good.output)["ok"]
    bad = run("validate", "out/model.onnx", "--reference", f"{code}:other", "--failing", "failing")
    assert bad.exit_code == 1
    assert "beyond the tolerance" in " ".join(bad.output.split())
    (saved,) = (tmp_path / "failing").iterdir()
    replayed = subprocess.run([sys.executable, saved / "replay.py"], capture_output=True, text=True, check=False)
    assert replayed.returncode == 1, replayed.stderr
    assert "failed" in replayed.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("validate", "nowhere.onnx"),
        ("validate", "mine.py", "--reference", "mine.py:model"),
        ("validate", "broken.onnx", "--reference", "mine.py:model"),
        ("export", "mine.py:missing", "out/model.onnx"),
        ("export", "mine.py:model", "out/model.onnx", "--set", "opsett=18"),
        ("export", "mine.py:model", "out/model.tflite"),
        ("export", "mine.py:model", "out/model.onnx", "--report", "report.pdf"),
    ],
)
def test_errors_are_exit_code_2(code, tmp_path, arguments):
    (tmp_path / "broken.onnx").write_bytes(b"not an ONNX file")
    done = run(*arguments)
    assert done.exit_code == 2, done.output
    assert "error: " in done.output
    assert not (tmp_path / "report.pdf").exists()
    assert not (tmp_path / "out").exists()


def start(*arguments):
    """Start the program as a shell does in the foreground: where the tests run in the background, SIGINT is ignored."""
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from dummyio.__main__ import main; main()"
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def wait_for(path, job):
    end = time.monotonic() + 120
    while time.monotonic() < end and job.poll() is None and not path.exists():
        time.sleep(0.2)
    assert path.exists(), job.communicate(timeout=1)


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
@pytest.mark.parametrize(("name", "wanted"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_signal_in_an_export_leaves_nothing(code, name, wanted, tmp_path):
    with start("export", f"{code}:slow()", "out/model.onnx", "--set", "batch_size=2") as job:
        wait_for(tmp_path / "out", job)
        job.send_signal(getattr(signal, name))
        _, errors = job.communicate(timeout=60)
    assert (job.returncode, errors) == (wanted, "interrupted: no partial output was left.\n")
    assert [path.name for path in tmp_path.iterdir() if path.name != "__pycache__"] == ["mine.py"]


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_signal_in_a_validation_is_its_exit_code(code, tmp_path):
    assert run("export", f"{code}:model", "made/model.onnx", "--no-validate").exit_code == 0
    with start("validate", "made/model.onnx", "--reference", f"{code}:never()") as job:
        wait_for(tmp_path / "called", job)
        job.send_signal(signal.SIGINT)
        _, errors = job.communicate(timeout=60)
    assert (job.returncode, errors) == (130, "interrupted: no partial output was left.\n")


def test_a_script_that_ends_itself_is_an_error(code, tmp_path):
    (tmp_path / "ends.py").write_text("import sys\nmodel = lambda: sys.exit(0)\nif __name__ != 'x':\n    sys.exit(1)\n")
    done = run("export", "ends.py:model", "out/model.onnx")
    assert done.exit_code == 2
    assert "error: ends.py: cannot be imported: SystemExit: 1" in done.output


OPTIONS = {
    "onnx": [
        ("opset", "banana", "a whole number"),
        ("opset", "1.5", "a whole number"),
        ("opset", "-3", "at least 7"),
        ("opset", "99", "opsets up to"),
        ("opset", "true", "a whole number"),
        ("exporter", "banana", "'dynamo' or 'torchscript'"),
        ("external_data", "banana", "True, False or None"),
        ("external_data", "yes", "true or false"),
        ("weights", "0", "True or False"),
        ("optimize", "banana", "True or False"),
        ("static", "3", "a list"),
        ("static", "banana", "all_but_batch"),
        ("attention", "5", "a string or None"),
        ("experts", "true", "a string or None"),
        ("rewrite", "banana", "True or False"),
    ],
    "pt2": [("strict", "banana", "True or False"), ("rewrite", "2", "True or False"), ("static", "true", "a list")],
}


@pytest.mark.parametrize(
    ("suffix", "option", "value", "choices"), [(suffix, *case) for suffix, cases in OPTIONS.items() for case in cases]
)
def test_an_option_of_a_wrong_type_is_refused_with_the_choices(code, tmp_path, suffix, option, value, choices):
    done = run("export", f"{code}:model", f"out/model.{suffix}", "--no-validate", "--set", f"{option}={value}")
    assert done.exit_code == 2
    assert f"error: {option}=" in done.output
    assert choices in done.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("text", ["true", "False"])
def test_options_that_are_on_or_off(code, tmp_path, text):
    done = run("export", f"{code}:model", "out/model.onnx", "--no-validate", "--set", f"external_data={text}")
    assert done.exit_code == 0, done.output
    assert (tmp_path / "out" / "model.onnx.data").exists() is (text == "true")


@pytest.mark.parametrize("setting", ["spec=x", "reference=x", "trust=true", "seed=3", "progress=1"])
def test_parameters_of_a_command_are_not_settings(code, setting):
    done = run("validate", "made.onnx", "--set", setting)
    assert done.exit_code == 2
    assert f"error: --set {setting.split('=')[0]}=" in done.output


def test_relations_are_a_setting_that_is_checked(code):
    done = run("validate", code, "--reference", f"{code}:model", "--set", "relations=banana")
    assert done.exit_code == 2
    assert "relations='banana': give True or False" in done.output
