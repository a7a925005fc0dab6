"""Graphs that no runtime can run: refused when they are described, quickly, and in little memory."""

import subprocess
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

import dummyio
from dummyio.errors import SourceError

F = TensorProto.FLOAT


def make(nodes, shape=("N", 4), weights=(), outputs=("y",)):
    tensors = [numpy_helper.from_array(array, name) for name, array in dict(weights).items()]
    results = [helper.make_tensor_value_info(name, F, None) for name in outputs]
    graph = helper.make_graph(nodes, "g", [helper.make_tensor_value_info("x", F, shape)], results, tensors)
    return helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 18)])


@pytest.mark.parametrize(
    ("nodes", "message"),
    [
        ([("Add", ["x", "b"], ["a"]), ("Relu", ["a"], ["b"]), ("Relu", ["b"], ["y"])], "the graph has a circle: 'Add'"),
        ([("Add", ["x", "y"], ["y"])], "the graph has a circle"),
        ([("Relu", ["x"], ["y"]), ("Tanh", ["x"], ["y"])], "two nodes make 'y'"),
    ],
)
def test_a_graph_that_cannot_be_ordered_is_refused(nodes, message, tmp_path):
    onnx.save(make([helper.make_node(*node) for node in nodes]), tmp_path / "model.onnx")
    with pytest.raises(SourceError, match=message) as caught:
        dummyio.describe(tmp_path / "model.onnx")
    assert "model.onnx: " in str(caught.value)


def test_nodes_may_stand_in_any_order():
    model = make([helper.make_node("Relu", ["a"], ["y"]), helper.make_node("Tanh", ["x"], ["a"])])
    assert dummyio.describe(model).shapes() == {"x": (2, 4)}


def test_names_of_bodies_are_their_own():
    body = helper.make_graph(
        [helper.make_node("Identity", ["x"], ["o"])], "b", [], [helper.make_tensor_value_info("o", F, None)]
    )
    for _ in range(3):
        node = helper.make_node("If", ["c"], ["o"], then_branch=body, else_branch=body)
        body = helper.make_graph([node], "b", [], [helper.make_tensor_value_info("o", F, None)])
    nodes = [helper.make_node("If", ["c"], ["y"], then_branch=body, else_branch=body)]
    assert dummyio.describe(make(nodes, weights={"c": np.array(True)})).shapes() == {"x": (2, 4)}


@pytest.mark.parametrize("shape", [("N", 2**62), (2**62, 2**62), (2**63 - 1,), (2**30, 2**30)])
def test_an_input_that_no_memory_holds_is_refused(shape):
    with pytest.raises(SourceError, match=r"input 'x' is float32.*no memory holds it"):
        dummyio.describe(make([helper.make_node("Relu", ["x"], ["y"])], shape))


@pytest.mark.parametrize("dims", [(2**62, 4), (-4, 4)])
def test_a_weight_that_no_memory_holds_is_refused(dims):
    model = make([helper.make_node("MatMul", ["x", "w"], ["y"])], weights={"w": np.ones((4, 4), "f")})
    model.graph.initializer[0].dims[:] = dims
    with pytest.raises(SourceError, match="the weight 'w' is declared as"):
        dummyio.describe(model)


def test_a_name_of_an_axis_that_is_a_book_is_refused():
    with pytest.raises(SourceError, match="Dim name"):
        dummyio.describe(make([helper.make_node("Relu", ["x"], ["y"])], ("+".join(["a"] * 5000), 4)))


@pytest.mark.skipif(sys.platform != "linux", reason="needs a limit of memory")
def test_sizes_joined_to_themselves_fill_no_memory(tmp_path):
    """The inference of shapes would hold 2**60 of them."""
    nodes, value = [helper.make_node("Shape", ["x"], ["s"])], "s"
    for step in range(60):
        nodes.append(helper.make_node("Concat", [value, value], [f"c{step}"], axis=0))
        value = f"c{step}"
    onnx.save(make([*nodes, helper.make_node("Size", [value], ["y"])]), tmp_path / "model.onnx")
    code = (
        "import resource, sys; resource.setrlimit(resource.RLIMIT_DATA, (3 << 30, 3 << 30))\n"
        "import dummyio; print(dummyio.describe(sys.argv[1]).shapes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tmp_path / "model.onnx"], capture_output=True, text=True, check=False
    )
    assert done.stdout == "{'x': (2, 4)}\n", done.stderr[-500:]
