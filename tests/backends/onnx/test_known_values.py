"""Values that operations know: keys of encoders, categories, words of grams, splits of trees."""

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

import dummyio
from dummyio.spec.values import Choices

FLOATS, WHOLE, WORD = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
ML = "ai.onnx.ml"
WORDS = ["red", "green", "blue"]


def describe(nodes, inputs, output, weights=(), opset=19):
    values = [helper.make_tensor_value_info(name, *rest) for name, *rest in inputs]
    tensors = [numpy_helper.from_array(np.asarray(array), name) for name, array in dict(weights).items()]
    graph = helper.make_graph(nodes, "g", values, [helper.make_tensor_value_info("y", *output)], tensors)
    opsets = [helper.make_opsetid("", opset), helper.make_opsetid(ML, 3)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    spec = dummyio.describe(model)
    dummyio.open_runner(model, spec)(spec.feeds())
    return spec


def encoder(**attributes):
    return helper.make_node("LabelEncoder", ["x"], ["y"], domain=ML, **attributes)


def test_keys_that_are_real_numbers():
    node = encoder(keys_floats=[5.0, 9.5, 14.0], values_floats=[0.0, 1.0, 2.0])
    assert describe([node], [("x", FLOATS, ["N"])], (FLOATS, ["N"]))["x"].values == Choices((5.0, 9.5, 14.0, 15.0))


@pytest.mark.parametrize(("rows", "extra"), [(4, ("unknown word",)), (3, ())], ids=["a row for others", "no row"])
def test_a_word_outside_is_fed_if_its_number_has_a_row(rows, extra):
    nodes = [
        helper.make_node(
            "LabelEncoder", ["x"], ["i"], domain=ML, keys_strings=WORDS, values_int64s=[0, 1, 2], default_int64=3
        ),
        helper.make_node("Cast", ["i"], ["j"], to=TensorProto.INT32),
        helper.make_node("Gather", ["table", "j"], ["y"]),
    ]
    spec = describe(nodes, [("x", WORD, ["N"])], (FLOATS, ["N", 2]), {"table": np.ones((rows, 2), "f")})
    assert spec["x"].values == Choices((*WORDS, *extra))


def test_words_that_an_input_is_compared_with():
    nodes = [helper.make_node("Equal", ["x", "known"], ["y"])]
    spec = describe(nodes, [("x", WORD, ["N", 1])], (TensorProto.BOOL, ["N", 3]), {"known": np.array([WORDS], object)})
    assert spec["x"].values == Choices((*WORDS, "unknown word"))


def make_comparisons(name, *numbers):
    nodes = [helper.make_node("Equal", [name, f"c{number}"], [f"e{number}"]) for number in numbers]
    first, second = (f"e{number}" for number in numbers)
    return [*nodes, helper.make_node("Or", [first, second], ["y"])], {f"c{n}": np.array(n) for n in numbers}


def test_numbers_of_several_comparisons_are_categories():
    nodes, weights = make_comparisons("x", 17, 4000)
    assert describe(nodes, [("x", WHOLE, ["N"])], (TensorProto.BOOL, ["N"]), weights)["x"].values == Choices(
        (17, 4000, 4001)
    )


def test_a_flag_that_is_compared_with_0_and_1_is_none():
    nodes, weights = make_comparisons("attention_mask", 0, 1)
    spec = describe(nodes, [("attention_mask", WHOLE, ["N", "L"])], (TensorProto.BOOL, ["N", "L"]), weights)
    assert type(spec["attention_mask"].values).__name__ == "PaddingMask"


@pytest.mark.parametrize(
    ("dtype", "pool", "expected"),
    [(WHOLE, {"pool_int64s": [2, 3, 40]}, (2, 3, 40, 41)), (WORD, {"pool_strings": WORDS}, (*WORDS, "unknown word"))],
)
def test_grams_are_counted_of_their_own_words(dtype, pool, expected):
    counts = {
        "max_gram_length": 1,
        "min_gram_length": 1,
        "max_skip_count": 0,
        "ngram_counts": [0],
        "ngram_indexes": [0, 1, 2],
    }
    node = helper.make_node("TfIdfVectorizer", ["x"], ["y"], mode="TF", **counts, **pool)
    assert describe([node], [("x", dtype, ["N", 6])], (FLOATS, ["N", 3]))["x"].values == Choices(expected)


def test_both_sides_of_each_split_are_reached():
    tree = {
        "nodes_treeids": [0] * 5,
        "nodes_nodeids": [0, 1, 2, 3, 4],
        "nodes_featureids": [0, 1, 0, 0, 0],
        "nodes_values": [55.0, 0.5, 0.0, 0.0, 0.0],
        "nodes_modes": ["BRANCH_LEQ", "BRANCH_LEQ", "LEAF", "LEAF", "LEAF"],
        "nodes_truenodeids": [1, 2, 0, 0, 0],
        "nodes_falsenodeids": [4, 3, 0, 0, 0],
        "target_treeids": [0] * 3,
        "target_nodeids": [2, 3, 4],
        "target_ids": [0] * 3,
        "target_weights": [1.0, 2.0, 4.0],
    }
    node = helper.make_node("TreeEnsembleRegressor", ["x"], ["y"], domain=ML, n_targets=1, **tree)
    spec = describe([node], [("x", FLOATS, ["N", 2])], (FLOATS, ["N", 1]))
    assert spec["x"].values == Choices((-13.125, 27.75, 68.625))
    assert "both sides of ai.onnx.ml.TreeEnsembleRegressor" in spec.provenance["input x"]
