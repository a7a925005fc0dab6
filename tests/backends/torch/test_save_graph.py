"""ONNX files with large weights, written without a copy of all weights in memory."""

import tracemalloc

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
ir = pytest.importorskip("onnx_ir")
pytest.importorskip("torch")
ort = pytest.importorskip("onnxruntime")

from dummyio.errors import ExportError
from dummyio_torch.exporting.save_graph import write_one_file

SIDE = 1024


def make_model(*weights):
    x = ir.Value(name="x", shape=ir.Shape(["batch_size", SIDE]), type=ir.TensorType(ir.DataType.FLOAT))
    values = [ir.Value(name=weight.name, const_value=weight) for weight in weights]
    values.append(ir.Value(name="bias", const_value=ir.tensor(np.ones(SIDE, np.float32), name="bias")))
    nodes, last = [], x
    for value in values:
        nodes.append(ir.node("Add" if value.name == "bias" else "MatMul", [last, value]))
        last = nodes[-1].outputs[0]
    last.name, last.shape, last.type = "y", x.shape, x.type
    graph = ir.Graph([x], [last], nodes=nodes, initializers=values, opset_imports={"": 18}, name="main")
    return ir.Model(graph, ir_version=10)


def make_weight(name, seed=0):
    array = np.random.default_rng(seed).standard_normal((SIDE, SIDE), np.float32)
    weight = ir.tensor(array, name=name)
    weight.metadata_props["origin"] = f"layer {name}"
    return weight


def test_it_is_the_message_that_the_usual_writer_makes(tmp_path):
    model = make_model(make_weight("a"), make_weight("b", 1))
    write_one_file(model, tmp_path / "model.onnx")
    ours, usual = onnx.load(tmp_path / "model.onnx"), ir.to_proto(model)
    for message in (ours, usual):
        message.graph.initializer.sort(key=lambda tensor: tensor.name)
    assert ours == usual
    assert {tensor.metadata_props[0].value for tensor in ours.graph.initializer if tensor.metadata_props} == {
        "layer a",
        "layer b",
    }
    x = np.ones((2, SIDE), np.float32)
    (found,) = ort.InferenceSession(tmp_path / "model.onnx").run(None, {"x": x})
    a, b = (model.graph.initializers[name].const_value.numpy() for name in "ab")
    np.testing.assert_allclose(found, x @ a @ b + 1, rtol=1e-3, atol=1e-2)


def test_memory_holds_one_weight_at_most(tmp_path):
    model = make_model(*(make_weight(f"w{index}") for index in range(8)))
    tracemalloc.start()
    write_one_file(model, tmp_path / "model.onnx")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 2 * 4 * SIDE**2 < (tmp_path / "model.onnx").stat().st_size / 3


def test_a_weight_that_writes_less_than_it_states_is_an_error(tmp_path):
    class Short(ir.Tensor):
        def tofile(self, file):
            file.write(b"abc")

    model = make_model(Short(np.zeros((SIDE, SIDE), np.float32), name="a"))
    with pytest.raises(ExportError, match=r"'a' wrote 3 bytes and states 4194304"):
        write_one_file(model, tmp_path / "model.onnx")
    assert isinstance(model.graph.initializers["a"].const_value, Short)
