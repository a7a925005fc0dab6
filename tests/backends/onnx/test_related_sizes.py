"""Axes without names that are one size, or a multiple of one, because the graph joins them: found by trying."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

import dummyio
from dummyio.sources.axis_names import is_anonymous

F = TensorProto.FLOAT


def describe(nodes, inputs, outputs, weights=()):
    values = [helper.make_tensor_value_info(name, F, shape) for name, shape in inputs.items()]
    results = [helper.make_tensor_value_info(name, F, None) for name in outputs]
    tensors = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "g", values, results, tensors)
    return dummyio.describe(helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)]))


def test_an_axis_is_one_with_an_axis_of_another_usual_size():
    spec = describe([helper.make_node("MatMul", ["x", "y"], ["z"])], {"x": [None, None], "y": [None, 5]}, ["z"])
    assert spec["x"].shape[1] == spec["y"].shape[0]
    assert not spec["x"].shape[1].fixed


def test_the_state_of_a_network_has_its_batch():
    node = helper.make_node("GRU", ["x", "w", "r", "", "", "h"], ["y"], hidden_size=4)
    weights = {"w": np.ones((1, 12, 3), "f"), "r": np.ones((1, 12, 4), "f")}
    spec = describe([node], {"x": ["?", "?", 3], "h": [1, "?", 4]}, ["y"], weights)
    assert spec["x"].shape[1] == spec["h"].shape[1]


def test_sides_are_a_multiple_of_those_of_a_coarser_map():
    nodes = [
        helper.make_node("MaxPool", ["x"], ["d"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Concat", ["d", "y"], ["z"], axis=1),
    ]
    spec = describe(nodes, {"x": ["N", 3, "h", "w"], "y": ["N", 2, "rows", "columns"]}, ["z"])
    assert [str(size) for size in spec["x"].shape] == ["N", "3", "rows * 2", "columns * 2"]


@pytest.mark.parametrize(
    "text", ["", " ", "?", "??", "*", "-1", "None", "none", "NONE", "unk", "unk__12", "Unknown", "dynamic"]
)
def test_texts_without_a_meaning_name_no_axis(text):
    assert is_anonymous(text)
    spec = describe([helper.make_node("Transpose", ["x"], ["y"])], {"x": [text, text]}, ["y"])
    assert spec["x"].shape[0] != spec["x"].shape[1]


@pytest.mark.parametrize("text", ["N", "batch", "dyn_1", "unknowns", "s0", "height - 1"])
def test_other_texts_are_names(text):
    assert not is_anonymous(text)
