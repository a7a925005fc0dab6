"""Inputs that are parameters of operators have values that ONNX Runtime takes, at every size of the dims and in every sample."""

import numpy as np
import pytest

import dummyio
from dummyio.spec.values import Choices, Constant, Rows

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")


def build(text, opset=18):
    model = onnx.parser.parse_model(f'<ir_version: 9, opset_import: ["" : {opset}]> graph {text}')
    for output in model.graph.output:  # computed shapes differ from what the text may declare
        output.type.tensor_type.ClearField("shape")
    return model


def run_all(model):
    """Return the spec after each of its probes, and several samples, has run."""
    spec, options = dummyio.describe(model), ort.SessionOptions()
    options.log_severity_level = 4
    session = ort.InferenceSession(model.SerializeToString(), options)
    for sizes in spec.probes():
        for sample in range(4):
            session.run(None, spec.feeds(sample=sample, **sizes))
    assert dummyio.validate(model, reference=model).ok
    return spec


CASES = {
    "the axes of a reduction": ("(float[N, 4, 5] x, int64[2] a) => (float y) { y = ReduceMax(x, a) }", {"a": Rows((2, 1))}),
    "one axis": ("(float[N, 4, 5] x, int64[1] a) => (float y) { y = ReduceSum(x, a) }", {"a": Choices((0, 1, 2))}),
    "a slice of given axes": (
        "(float[N, 4, 5] x, int64[2] s, int64[2] e) => (float y) <int64[2] a = {1, 2}> { y = Slice(x, s, e, a) }",
        {"s": Choices((0, 1))},
    ),
    "steps": ("(float[6] x, int64[1] t) => (float y) <int64[1] s = {0}, int64[1] e = {6}, int64[1] a = {0}> { y = Slice(x, s, e, a, t) }",
        {"t": Choices((1, 2))}),
    "pads": ("(float[N, 4] x, int64[4] p) => (float y) { y = Pad(x, p) }", {"p": Choices((0, 1))}),
    "pads that reflect": ('(float[N, 4] x, int64[4] p) => (float y) { y = Pad<mode = "reflect">(x, p) }', {"p": Rows((0, 1, 0, 1))}),
    "a shape": ("(float[N, 6] x, int64[3] s) => (float y) { y = Reshape(x, s) }", {"s": Rows((3, -1, 2))}),
    "a part of a shape": (
        "(float[10] x, int64[1] c) => (float y) <int64[1] r = {-1}> { s = Concat<axis = 0>(r, c) y = Reshape(x, s) }",
        {"c": Choices((2, 5, 10, 1))},
    ),
    "a computed shape": (
        """(float[12] x, int64[1] c) => (float y) <int64[1] r = {-1}, int64[1] two = {2}, int64[1] one = {1}>
        { d = Mul(c, two) e = Add(d, one) s = Concat<axis = 0>(r, e) y = Reshape(x, s) }""",
        {"c": Choices((1, 0))},
    ),
    "what broadcasts": ("(float[N, 1] x, int64[2] s) => (float y) { y = Expand(x, s) }", {"s": Rows((1, 2))}),
    "parts of a split": ("(float[N, 6] x, int64[3] s) => (float a, float b, float c) { a, b, c = Split<axis = 1>(x, s) }", {"s": Rows((1, 1, 4))}),
    "an axis of one": ("(float[N, 4, 1] x, int64[1] a) => (float y) { y = Squeeze(x, a) }", {"a": Constant(2)}),
    "new axes": ("(float[N, 4] x, int64[2] a) => (float y) { y = Unsqueeze(x, a) }", {"a": Rows((2, 1))}),
    "the largest": ("(float[N, 4] x, int64[1] k) => (float y, int64 i) { y, i = TopK(x, k) }", {"k": Choices((1, 2, 3, 4))}),
    "repeats": ("(float[N, 4] x, int64[2] r) => (float y) { y = Tile(x, r) }", {"r": Choices((2, 1))}),
    "a range": ("(int64 s, int64 l, int64 d) => (int64 y) { y = Range(s, l, d) }", {"s": Choices((0, 1)), "d": Choices((1, 2))}),
    "a range of floats": ("(float l) => (float y) <float s = {0}, float d = {1}> { y = Range(s, l, d) }", {"l": Choices((5.0, 4.0, 6.0))}),
    "scales": ("(float[N, 2, h, w] x, float[4] s) => (float y) { y = Resize(x, , s) }", {"s": Rows((1.0, 1.0, 2.0, 2.0))}),
    "a switch of training": (
        "(float[N, 4] x, float r, bool t) => (float y) { y = Dropout(x, r, t) }",
        {"r": Constant(0.5), "t": Constant(False)},
    ),
    "iterations": (
        "(int64 m, float[N] x) => (float y) { y = Loop(m, , x) <body = b (int64 i, bool c, float[N] v) => (bool d, float[N] w) { d = Identity(c) w = Add(v, v) }> }",
        {"m": Choices((2, 1, 3))},
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_the_values_of_a_parameter_are_legal(name):
    text, expected = CASES[name]
    spec = run_all(build(text))
    assert {path: spec[path].values for path in expected} == expected


def test_the_reason_names_the_operator_and_the_values():
    spec = dummyio.describe(build(CASES["the axes of a reduction"][0]))
    assert spec.provenance["input a"] == "a parameter of ReduceMax: 2, 1"


def test_sizes_of_a_resize_fix_the_axes_that_it_keeps():
    model = build('(float[N, 2, h, w] x, int64[4] s) => (float y) { y = Resize<mode = "linear">(x, , , s) }')
    spec = run_all(model)
    batch, _, height, _ = spec["x"].shape
    assert spec["s"].values.values[:2] == (batch.size, 2)
    assert (batch.min, batch.max, height.max) == (batch.size, batch.size, None)


def test_a_parameter_of_two_operators_suits_both():
    spec = run_all(
        build(
            "(float[N, 3] x, float[N, 5] z, int64[1] k) => (float y, float v) { y, i = TopK(x, k) v, j = TopK(z, k) }"
        )
    )
    assert spec["k"].values == Choices((1, 2, 3))


def test_ids_that_a_loop_runs_over_or_is_handed():
    scan = build(
        """(int64[n] ids) => (float y) <float[25, 4] table, float[4] zero> { z, y = Scan<num_scan_inputs = 1,
        body = b (float[4] state, int64 id) => (float[4] next, float[4] row) { row = Gather(table, id) next = Add(state, row) }>(zero, ids) }"""
    )
    scan.graph.initializer.extend(
        onnx.numpy_helper.from_array(np.ones(shape, "float32"), name)
        for name, shape in (("table", (25, 4)), ("zero", (4,)))
    )
    assert run_all(scan)["ids"].values.high == 25
