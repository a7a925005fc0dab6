"""Packages that some tests need besides TensorFlow."""

import pytest


@pytest.fixture
def onnx_packages():
    """Skip a test without the packages that write and run ONNX."""
    for name in ("onnx", "onnx_ir", "onnxruntime", "tf2onnx"):
        pytest.importorskip(name)
