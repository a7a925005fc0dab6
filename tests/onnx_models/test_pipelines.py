"""Pipelines of Transformers give the same with a model in a folder of ONNX files as with PyTorch's.

The default run has one of them; ``nox -s onnx_models`` sets ``DUMMYIO_EVERY_MODEL``, and has all.
"""

import os

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("onnx")
pytest.importorskip("onnxscript")
pytest.importorskip("onnxruntime")
pytest.importorskip("PIL")

from pipeline_cases import CASES

import dummyio
from dummyio.onnx import AutoModelForONNX

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]
FIRST = ("image-classification",)


def assert_same(found, expected, where=""):
    """The results have the same structure, words and boxes, and numbers that are equal but for rounding."""
    if isinstance(expected, dict):
        assert list(found) == list(expected), where
        for key in expected:
            assert_same(found[key], expected[key], f"{where}.{key}")
    elif isinstance(expected, (list, tuple)):
        assert len(found) == len(expected), where
        for index, (one, other) in enumerate(zip(found, expected, strict=True)):
            assert_same(one, other, f"{where}[{index}]")
    elif isinstance(expected, (str, int)) or expected is None:
        assert found == expected, where
    else:  # a number, a tensor or an image
        one, other = np.asarray(found), np.asarray(expected)
        assert one.shape == other.shape, where
        far = np.abs(one.astype(float) - other.astype(float)) > 1e-3 * max(1.0, float(np.abs(other).max(initial=0)))
        assert far.mean() <= (0.01 if other.dtype == np.uint8 else 0), where  # pixels of a mask at a border


@pytest.mark.parametrize("name", CASES)
def test_a_pipeline(tmp_path, name):
    if name not in FIRST and "DUMMYIO_EVERY_MODEL" not in os.environ:
        pytest.skip("DUMMYIO_EVERY_MODEL is not set")
    case = CASES[name]
    model = case.make_model()
    dummyio.export(model, tmp_path / "folder")
    expected = case.run(model)
    assert_same(case.run(AutoModelForONNX.from_pretrained(tmp_path / "folder")), expected)
