"""Shapes and bounds of single inputs, set among the sizes."""

import json

import pytest
from click.testing import CliRunner

import dummyio
from dummyio import Dim, InputSpec, TensorSpec, values
from dummyio.cli import main
from dummyio.errors import OptionError, SourceError

BATCH, LENGTH, PAST = Dim("batch_size", 2), Dim("sequence_length", 16, max=512), Dim("past_sequence_length", 8)
IDS = TensorSpec("ids", (BATCH, LENGTH), "int64", values.TokenIds(30522, reserved=(0, 500), mask="mask", pad=500))
MASK = TensorSpec("mask", (BATCH, PAST + LENGTH), "int64", values.PaddingMask())
PIXELS = TensorSpec("pixel-values", (BATCH, 3, 2 * LENGTH), "float32")
SPEC = InputSpec({"ids": IDS, "mask": MASK, "pixel-values": PIXELS})


def test_a_shape_sets_the_sizes_of_its_dims():
    found = dummyio.describe(SPEC, ids=[3, 5], mask=["?", 7])
    assert found.sizes() == {"batch_size": 3, "sequence_length": 5, "past_sequence_length": 2}
    assert dummyio.describe(SPEC, **{"pixel-values": [None, 3, 10]}).sizes()["sequence_length"] == 5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"pixel-values": [2, 4, 10]}, r"axis cannot have the size 4, because the model has 3 there"),
        ({"pixel-values": [2, 3, 11]}, r"no sequence_length makes sequence_length \* 2 equal to 11"),
        ({"ids": [2]}, r"this input has 2 axes, \[batch_size, sequence_length\]"),
        ({"ids": [2, 5], "pixel-values": [4, 3, 10]}, "batch_size is 2 already"),
        ({"ids": [2, 513]}, "sequence_length=513"),
        ({"batch_size": 3, "ids": [2, 5]}, "batch_size is 3 already"),
        ({"idz": [2, 5]}, "Nor is an input named 'idz'. Did you mean 'ids'"),
        ({"idz.max": 5}, "no input of this model has that name. Did you mean 'ids'"),
        ({"ids.max": "many"}, "is not a number"),
        ({"ids.max": 2.5}, "give whole numbers"),
        ({"mask.max": 1}, "is a padding mask, which has no bounds"),
        ({"ids.min": 7, "ids.max": 6}, "none is left"),
    ],
)
def test_what_contradicts_the_model_is_refused(given, message):
    with pytest.raises(dummyio.DummyioError, match=message):
        dummyio.describe(SPEC, **given)


def test_bounds_include_both_ends_and_keep_the_rule():
    found = dummyio.describe(SPEC, **{"ids.max": 100, "ids.min": 5, "pixel-values.max": "0.5"})
    assert found["ids"].values == values.TokenIds(101, 5, mask="mask", pad=100)
    assert found["pixel-values"].values == values.Uniform(0, 0.5)
    ids = found.feeds(batch_size=8)["ids"]
    assert (ids.min() >= 5, ids.max() <= 100) == (True, True)


@pytest.mark.parametrize(
    ("rule", "bounds", "expected"),
    [
        (values.Choices((1, 5, 9)), {"x.min": 2}, values.Choices((5, 9))),
        (values.Labels(10), {"x.max": 3}, values.Labels(4)),
        (values.Positions(), {"x.max": 3}, values.Uniform(0, 4)),
        (values.Constant(7), {"x.max": 3, "x.min": -3}, values.Uniform(-3, 4)),
        (values.Uniform(0, 10), {"x.max": 20}, values.Uniform(0, 21)),
    ],
)
def test_bounds_of_other_rules(rule, bounds, expected):
    spec = InputSpec({"x": TensorSpec("x", (BATCH,), "int64", rule)})
    assert dummyio.describe(spec, **bounds)["x"].values == expected


def test_an_open_end_needs_the_other_bound():
    spec = InputSpec({"x": TensorSpec("x", (BATCH,), "int64", values.Positions())})
    with pytest.raises(OptionError, match=r"Give x\.max too"):
        dummyio.describe(spec, **{"x.min": 3})


def test_the_command_line_sets_shapes_and_bounds():
    written = ["--input", "pixel-values:float32[batch,3,height,width]", "--input", "ids:int64[batch]:0..30522"]
    settings = ["--set", "pixel-values=[4,3,?,64]", "--set", "ids.max=100"]
    done = CliRunner().invoke(main, ["generate", *written, *settings, "--json"])
    assert done.exit_code == 0, done.output
    pixels, ids = json.loads(done.stdout)["inputs"]
    assert (pixels["size"], ids["size"]) == ([4, 3, 64, 64], [4])
    assert ids["largest"] <= 100


def test_an_axis_count_that_the_file_lacks_is_that_of_the_shape(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    x, y = (onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in "xy")
    graph = onnx.helper.make_graph([onnx.helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
    onnx.save(
        onnx.helper.make_model(graph, ir_version=9, opset_imports=[onnx.helper.make_opsetid("", 18)]),
        tmp_path / "model.onnx",
    )
    with pytest.raises(SourceError, match="no shape in the model"):
        dummyio.describe(tmp_path / "model.onnx")
    assert dummyio.describe(tmp_path / "model.onnx", x=[2, 5]).shapes() == {"x": (2, 5)}
