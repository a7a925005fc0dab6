"""Exports onto a disk that is full: an `OutputError`, no abort of the process, nothing left behind."""

import os
import subprocess
import sys
import textwrap

import pytest

torch = pytest.importorskip("torch")

LIMIT = 3 << 20
SCRIPT = """
    import os, resource, signal, sys
    import torch
    import dummyio

    folder, limit, cases = sys.argv[1], int(sys.argv[2]), eval(sys.argv[3])
    model = torch.nn.Sequential(torch.nn.Linear(1024, 1024), torch.nn.Linear(1024, 1024)).eval()  # 8 MiB
    spec = dummyio.InputSpec({"input": dummyio.TensorSpec("input", (dummyio.Dim("batch_size", 2), 1024), "float32")})
    if limit:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    for name, options in cases:
        try:
            dummyio.export(model, os.path.join(folder, name), spec=spec, **options)
        except dummyio.DummyioError as error:
            print(type(error).__name__, error, sorted(os.listdir(folder)))
"""
CASES = [
    ("model.pt2", {}),
    ("model.onnx", {}),
    ("model.onnx", {"external_data": True}),
    ("model.onnx", {"exporter": "torchscript"}),
]


def run_exports(folder, limit, cases=CASES):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "PYTHONWARNINGS": "ignore"}
    arguments = [str(folder), str(limit), repr(cases)]
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(SCRIPT), *arguments],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="limits of file sizes")
def test_a_file_that_may_not_grow(tmp_path):
    pytest.importorskip("onnxscript")
    reason = "(File too large). Raise the limit on file sizes or write less."
    assert run_exports(tmp_path, LIMIT, CASES[:1]) == [f"OutputError {tmp_path}: cannot be written {reason} []"]


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "disk"
    place.mkdir()
    mount = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mount.returncode != 0:
        pytest.skip("mounting a small disk needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


@pytest.mark.skipif(sys.platform != "linux", reason="tmpfs")
def test_a_disk_that_is_full(small_disk):
    pytest.importorskip("onnxscript")
    reason = "(No space left on device). Free some space there or write elsewhere."
    expected = f"OutputError {small_disk}: cannot be written {reason} []"
    assert run_exports(small_disk, 0) == [expected] * len(CASES)
