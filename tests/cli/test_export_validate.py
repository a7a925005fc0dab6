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

def slow():
    return Slow()

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


def interrupted(job):
    """Interrupt a job, repeatedly: an exception that is raised in a callback of the garbage collector is lost."""
    for _ in range(6):
        job.send_signal(signal.SIGINT)
        try:
            return job.communicate(timeout=20)[0]
        except subprocess.TimeoutExpired:
            continue
    job.kill()
    pytest.fail("the job does not end")


@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_an_interrupt_leaves_nothing(code, tmp_path):
    # Where the tests run in the background the signal is ignored, which a child would inherit.
    start = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); from dummyio.cli import main; main()"
    )
    command = [sys.executable, "-c", start, "export", f"{code}:slow()", "out/model.onnx", "--set", "batch_size=2"]
    job = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    end = time.monotonic() + 120
    while time.monotonic() < end and job.poll() is None and not (tmp_path / "out").exists():
        time.sleep(0.2)
    output = interrupted(job)
    assert job.returncode == 130, output
    assert not (tmp_path / "out").exists()
