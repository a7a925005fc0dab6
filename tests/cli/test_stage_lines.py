"""The progress on a terminal: a line for each stage, and nothing where nobody looks on."""

import io
import os
import subprocess
import sys
import threading
from contextlib import contextmanager, redirect_stderr

import pytest

from dummyio.cli.tables import show_stages
from dummyio.exporting.stages import report_stage


class Terminal(io.StringIO):
    """A stream that is a terminal, of 80 columns."""

    def isatty(self):
        return True

    def screen(self):
        """Return the lines that a terminal shows."""
        lines = []
        for line in self.getvalue().split("\n"):
            shown = ""
            for part in line.split("\r"):
                shown = part + shown[len(part) :]
            lines.append(shown.rstrip())
        return lines


@pytest.fixture
def terminal():
    return Terminal()


@contextmanager
def show(terminal, *, quiet=False):
    with redirect_stderr(terminal), show_stages(quiet=quiet):
        yield


def test_a_stage_is_one_line_with_its_time(terminal):
    with show(terminal):
        with report_stage("trace", "model.onnx"):
            assert terminal.screen() == ["trace    ...  model.onnx"]
        with report_stage("validate", "model.onnx") as report_step:
            report_step("case 3 of 14: other sizes")
            assert terminal.screen()[-1] == "validate case 3 of 14: other sizes  model.onnx"
            report_step("case 4 of 14")
            assert terminal.screen()[-1] == "validate case 4 of 14  model.onnx"
    assert terminal.screen() == ["trace        0.0 s  model.onnx", "validate     0.0 s  model.onnx", ""]


def test_a_stage_that_fails_says_so(terminal):
    with pytest.raises(ValueError, match="no"), show(terminal), report_stage("trace", "model.onnx"):
        raise ValueError("no")
    assert terminal.screen() == ["trace        0.0 s  model.onnx  failed", ""]


def test_names_cannot_control_the_terminal_and_long_ones_are_cut(terminal):
    with show(terminal), report_stage("trace", f"a\x1b[2Jb\n{'c' * 500}"):
        pass
    assert "\x1b" not in terminal.getvalue()
    assert all(len(line) < 80 for line in terminal.screen())


def test_an_exporter_that_replaces_the_stream_hides_no_line(terminal, monkeypatch):
    with show(terminal):
        monkeypatch.setattr(sys, "stderr", io.StringIO())
        with report_stage("trace"):
            pass
    assert terminal.screen()[0] == "trace        0.0 s"


def test_a_terminal_that_has_gone_stops_nothing(terminal):
    with show(terminal):
        terminal.close()
        with report_stage("trace"):
            pass


@pytest.mark.parametrize("is_terminal", [True, False])
def test_nothing_is_shown_if_quiet_or_without_a_terminal(terminal, monkeypatch, is_terminal):
    if not is_terminal:
        monkeypatch.setattr(terminal, "isatty", lambda: False)
    with show(terminal, quiet=is_terminal), report_stage("trace"):
        pass
    assert terminal.getvalue() == ""


CODE = "import torch\ntorch.manual_seed(0)\nmodel = torch.nn.Linear(4, 3).eval()\n"


def run_on_terminal(*arguments):
    """Run the program with standard error on a terminal; return its exit code, its output and what the terminal got."""
    main, side = os.openpty()
    command = [sys.executable, "-m", "dummyio", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=side, text=True) as job:
        os.close(side)
        outputs = []
        reader = threading.Thread(target=lambda: outputs.append(job.stdout.read()))
        reader.start()
        shown = b""
        while True:
            try:
                part = os.read(main, 4096)
            except OSError:  # Linux: the other side is closed
                break
            if not part:
                break
            shown += part
        reader.join()
    os.close(main)
    return job.returncode, outputs[0], shown.decode().replace("\r\n", "\n")


@pytest.fixture
def graph(tmp_path, monkeypatch):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    value = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch_size", 3]) for name in "xy"]
    made = onnx.helper.make_graph([onnx.helper.make_node("Neg", ["x"], ["y"])], "g", value[:1], value[1:])
    onnx.save(onnx.helper.make_model(made, opset_imports=[onnx.helper.make_opsetid("", 18)], ir_version=10), "a.onnx")
    return "a.onnx"


@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
@pytest.mark.slow
def test_a_validation_shows_its_cases_on_a_terminal(graph):
    code, output, shown = run_on_terminal("validate", graph, "--reference", graph)
    assert code == 0
    assert "ok: " in output
    assert "validate case 1 of " in shown
    assert shown.rstrip().endswith("s  a.onnx")


@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
@pytest.mark.slow
@pytest.mark.parametrize("option", ["-q", "--quiet", "--json"])
def test_a_quiet_validation_shows_nothing(graph, option):
    code, output, shown = run_on_terminal("validate", graph, "--reference", graph, option)
    assert (code, shown) == (0, "")
    assert output


@pytest.mark.skipif(sys.platform == "win32", reason="terminals")
@pytest.mark.slow
def test_an_export_shows_each_stage_on_a_terminal(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.py").write_text(CODE)
    code, output, shown = run_on_terminal("export", "mine.py:model", "out/model.onnx", "--set", "exporter=torchscript")
    assert code == 0
    screen = Terminal(shown).screen()
    assert [line.split()[0] for line in screen if line] == [
        *("load", "describe", "trace", "passes", "write", "check", "validate")
    ]
    assert all(line.split()[2] == "s" and float(line.split()[1]) >= 0 for line in screen if line)
    assert "validate case 3 of " in shown
    assert "trace" not in output
