"""Intervals that operations need of real numbers, and the ranges of quantized and clipped ones."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.spec.values import Uniform


def read(text):
    header = '<ir_version: 9, opset_import: ["" : 18]> g '
    return onnx.parser.parse_model(header + text)


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("<float c = {5.0}> { p = Sub(x, c) y = Log(p) }", Uniform(5.001, 6.001)),
        ("{ p = Neg(x) y = Log(p) }", Uniform(-1.001, -0.001)),
        ("<float c = {1.0}, float h = {0.5}> { p = Sub(x, c) y = Pow(p, h) }", Uniform(1, 2)),
        ("<float c = {0.5}> { p = Add(x, c) y = Acosh(p) }", Uniform(0.5, 1)),
        ("<float c = {1.0}> { m = Sub(c, x) y = Log(m) }", Uniform(0, 0.999)),
        ("<float c = {4.0}> { m = Mul(x, c) y = Asin(m) }", Uniform(0, 0.25)),
        (
            "<float c = {-4.0}, float d = {2.0}> { m = Div(x, c) s = Sub(m, d) r = Sqrt(s) y = Relu(r) }",
            Uniform(-9, -8),
        ),
        ("<float c = {1.0}> { p = Sub(x, c) a = Abs(p) y = Sqrt(a) }", Uniform()),
    ],
)
def test_real_numbers_are_where_an_operation_is_defined(text, rule):
    model = read(f"(float[N] x) => (float[N] y) {text}")
    spec = dummyio.describe(model)
    assert spec["x"].values == rule
    results = dummyio.open_runner(model, spec)(spec.feeds(N=4096))
    assert np.isfinite(results["y"]).all()


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (
            "(int8[N] x) => (float[N] y) <float s = {0.02}, int8 z = {3}> { y = DequantizeLinear(x, s, z) }",
            Uniform(-128, 128),
        ),
        (
            "(uint8[N, 4] x) => (int32[N, 2] y) <uint8[4, 2] w = {1,2,3,4,5,6,7,8}> { y = MatMulInteger(x, w) }",
            Uniform(0, 256),
        ),
        ("(int64[N] x) => (int64[N] y) <int64 a = {0}, int64 b = {29}> { y = Clip(x, a, b) }", Uniform(0, 30)),
        ("(int64[N] x) => (int64[N] y) <int64 m = {30}> { y = Mod(x, m) }", Uniform(0, 30)),
        (
            "(float[N] x) => (float[N] y) <float[3] t = {1.0, 2.0, 3.0}> { i = Cast<to = 7>(x) y = Gather(t, i) }",
            Uniform(0, 3),
        ),
    ],
)
def test_whole_numbers_have_the_range_of_what_reads_them(text, rule):
    assert dummyio.describe(read(text))["x"].values == rule
