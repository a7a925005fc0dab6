"""Interrupts at many moments: the exit code is 130, or 0 for a command that has ended, and there is never a trace."""

import importlib.util
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="signals")

CONFIG = str(Path(__file__).parents[2] / "examples/bert-base/config.json")
# What comes before is the start of Python itself. Where the tests run in the background, SIGINT is ignored.
START = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from dummyio.__main__ import main
print("started", flush=True)
main()
"""


def interrupt(seconds, *arguments, number=signal.SIGINT, start=START):
    """Send a signal that many seconds after the program has started; return its exit code and its errors."""
    command = [sys.executable, "-c", start, *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as job:
        assert job.stdout.readline() == "started\n"
        time.sleep(seconds)
        job.send_signal(number)
        return job.wait(timeout=120), job.communicate()[1]


def check(code, errors, wanted):
    assert code in (wanted, 0), errors
    assert "Traceback" not in errors
    assert "Exception ignored" not in errors
    assert code == 0 or wanted == 143 or "interrupted: " in errors


@pytest.mark.parametrize("seconds", [0.02, 0.08, 0.15, 0.3])
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_while_the_program_itself_is_imported(seconds, number, code):
    check(*interrupt(seconds, "describe", CONFIG, number=number), code)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.6, 1.3, 2.5])
@pytest.mark.parametrize(
    ("framework", "package"), [("pt", "torch"), ("tf", "tensorflow"), ("jax", "jax"), ("ort", "onnxruntime")]
)
def test_while_a_framework_is_imported(framework, package, seconds):
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"could not import '{package}'")
    check(*interrupt(seconds, "generate", CONFIG, "-f", framework), 130)


LIBRARY = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
import dummyio
print("started", flush=True)
dummyio.load_backend("jax")
print("loaded", flush=True)
signal.pause()
"""


@pytest.mark.slow
def test_while_a_library_loads_a_backend():
    pytest.importorskip("jax")
    code, errors = interrupt(0.6, start=LIBRARY)
    assert code == -signal.SIGINT
    assert errors.rstrip().endswith("KeyboardInterrupt")
    assert "nanobind" not in errors
