"""Lists of tensors, optional tensors and files of ONNX Runtime's own format are described, run and validated."""

import numpy as np
import pytest

import dummyio
from dummyio.errors import SourceError

onnx = pytest.importorskip("onnx")
ort = pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

FLOATS = helper.make_tensor_type_proto(TensorProto.FLOAT, ["rows", 3])


def build(nodes, inputs, outputs, **weights):
    tensors = [onnx.numpy_helper.from_array(value, name) for name, value in weights.items()]
    graph = helper.make_graph(nodes, "g", inputs, outputs, tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.fixture
def joined():
    """Two tensors of a list, one after the other."""
    parts = helper.make_value_info("parts", helper.make_sequence_type_proto(FLOATS))
    node = helper.make_node("ConcatFromSequence", ["parts"], ["y"], axis=0)
    return build([node], [parts], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 3])])


@pytest.mark.parametrize("engine", [None, "reference"])
def test_a_list_has_an_input_for_each_tensor(joined, engine):
    spec = dummyio.describe(joined)
    feeds = spec.feeds(rows=4)
    assert {path: values.shape for path, values in feeds.items()} == {"parts.0": (4, 3), "parts.1": (4, 3)}
    found = dummyio.open_runner(joined, spec, engine=engine)(feeds)
    assert np.array_equal(found["y"], np.concatenate(list(feeds.values())))
    assert dummyio.validate(joined, reference=joined).ok


def test_a_session_takes_them_too(joined):
    spec = dummyio.describe(joined)
    session = ort.InferenceSession(joined.SerializeToString())
    assert dummyio.open_runner(session, spec)(spec.feeds())["y"].shape == (4, 3)


def test_ids_in_a_list_stay_below_the_rows_of_their_table():
    ids = helper.make_value_info(
        "ids", helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.INT64, ["rows"]))
    )
    nodes = [
        helper.make_node("SequenceAt", ["ids", "first"], ["some"]),
        helper.make_node("Gather", ["table", "some"], ["y"]),
    ]
    model = build(
        nodes,
        [ids],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 4])],
        first=np.array(0),
        table=np.ones((9, 4), "float32"),
    )
    assert {spec.values.high for _, spec in dummyio.describe(model).leaves} == {9}


def test_an_optional_tensor_is_given():
    bias = helper.make_value_info(
        "bias", helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, [3]))
    )
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in "xy")
    nodes = [helper.make_node("OptionalGetElement", ["bias"], ["b"]), helper.make_node("Add", ["x", "b"], ["y"])]
    model = build(nodes, [x, bias], [y])
    spec = dummyio.describe(model)
    assert spec["bias"].shape == (3,)
    feeds = spec.feeds()
    assert np.array_equal(dummyio.open_runner(model, spec)(feeds)["y"], feeds["x"] + feeds["bias"])
    assert dummyio.validate(model, reference=model).ok


def test_a_file_of_the_runtimes_own_format(tmp_path):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in "xy")
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "model.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.log_severity_level = 4
    ort.InferenceSession(build([helper.make_node("Relu", ["x"], ["y"])], [x], [y]).SerializeToString(), options)
    spec = dummyio.describe(tmp_path / "model.ort")
    assert [str(size) for size in spec["x"].shape] == ["rows", "3"]
    assert dummyio.validate(tmp_path / "model.ort", reference=tmp_path / "model.ort").ok
    (tmp_path / "damaged.ort").write_bytes((tmp_path / "model.ort").read_bytes()[:100])
    with pytest.raises(SourceError, match=r"does not open this file of its own format.* Give the \.onnx file"):
        dummyio.describe(tmp_path / "damaged.ort")


def test_a_custom_operator_is_named_with_what_to_register():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["rows", 3]) for name in "xy")
    model = build([helper.make_node("FancyPool", ["x"], ["y"], domain="my.company")], [x], [y])
    model.opset_import.append(helper.make_opsetid("my.company", 1))
    with pytest.raises(SourceError, match=r"my\.company\.FancyPool is an extension: register its library") as error:
        dummyio.open_runner(model)
    assert "Upgrade" not in str(error.value)


def test_a_list_of_results_may_have_another_length():
    """As many results as the loop has iterations."""
    text = """<ir_version: 9, opset_import: ["" : 18]> graph (int64 count, float[rows] x) => (seq(float[rows]) y) {
        none = SequenceEmpty()
        y = Loop(count, , none) <body = b (int64 i, bool c, seq(float[rows]) now) => (bool d, seq(float[rows]) next) {
            d = Identity(c) next = SequenceInsert(now, x) }> }"""
    model = onnx.parser.parse_model(text)
    report = dummyio.validate(model, reference=model)
    assert report.ok
    assert {len(outcome.comparisons) for outcome in report.outcomes} > {1}


def test_sizes_that_depend_on_values_are_not_declared():
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]> graph (float[4, 4] x, int64[1] k) => (float[4, 3] y, int64[2, 9] z) '
        "{ y, i = TopK(x, k) z = NonZero(x) }"
    )
    report = dummyio.validate(model, reference=model)
    assert report.ok
    assert {(found.kind, found.severity, found.where) for found in report.findings if found.kind == "symbols"} == {
        ("symbols", "warning", "y"),
        ("symbols", "warning", "z"),
    }


def test_an_input_without_elements_is_validated():
    model = onnx.parser.parse_model(
        '<ir_version: 9, opset_import: ["" : 18]> graph (float[2, 0] x) => (float[2, 1] y) <int64[1] last = {1}> { y = ReduceSum(x, last) }'
    )
    assert dummyio.validate(model, reference=model).ok
