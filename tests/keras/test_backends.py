"""Keras models on PyTorch and on JAX take the routes of that framework; Keras chooses it once in a process, so each has its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras")

pytestmark = pytest.mark.slow

STORIES = Path(__file__).with_name("keras_stories.py")
FORMATS = {"torch": (".onnx", ".pt2"), "jax": (".stablehlo", ".onnx", ".tflite")}
NEEDS = {
    "torch": ("torch", "onnx", "onnxscript", "onnxruntime"),
    "jax": ("jax", "jax2onnx", "tensorflow", "onnxruntime"),
}


@pytest.fixture(scope="module", params=sorted(FORMATS))
def told(request):
    for package in NEEDS[request.param]:
        pytest.importorskip(package)
    environment = os.environ | {"KERAS_BACKEND": request.param, "TF_CPP_MIN_LOG_LEVEL": "3"}
    done = subprocess.run(
        [sys.executable, str(STORIES), *FORMATS[request.param]],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in map(json.loads, done.stdout.splitlines())}
    return rows, FORMATS[request.param]


@pytest.mark.parametrize("name", ["attend", "convolve", "subclass"])
def test_every_route_of_the_framework_gives_a_right_artifact(told, name):
    rows, formats = told
    assert {suffix: rows[name][suffix] for suffix in formats} == dict.fromkeys(formats, True)


def test_names_dtypes_and_tables_are_those_that_keras_declares(told):
    rows, _ = told
    assert "ids   int32[batch_size, sequence_length] TokenIds(high=50, mask='mask')" in rows["attend"]["spec"]
    assert "inputs  float32[batch_size, height, width, 3]" in rows["convolve"]["spec"]
    assert "x  float32[batch_size, 5]" in rows["subclass"]["spec"]


def test_a_model_that_is_not_built_says_so(told):
    rows, _ = told
    assert "is not built" in rows["unbuilt"]["error"]
