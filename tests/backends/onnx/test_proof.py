"""What runs of ONNX models, and the inference of their shapes, show of their descriptions: they are confirmed, corrected or refused."""

import os
import signal

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper, numpy_helper

import dummyio
from dummyio import Dim
from dummyio.errors import OptionError, SourceError
from dummyio.sources.proof.processes import file_runs, worker_process
from dummyio_onnx.proof import prove_source

FLOAT, INT64 = TensorProto.FLOAT, TensorProto.INT64


def save(path, nodes, inputs, outputs, **weights):
    """Write a model whose inputs and outputs are (name, dtype, axes)."""
    values = [[helper.make_tensor_value_info(*each) for each in side] for side in (inputs, outputs)]
    held = [numpy_helper.from_array(np.asarray(array), name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "g", *values, held)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path


def words(path, rows=9):
    nodes = [helper.make_node("Gather", ["table", "input_ids"], ["y"])]
    inputs = [("input_ids", INT64, ["batch_size", "length"])]
    return save(path, nodes, inputs, [("y", FLOAT, None)], table=np.zeros((rows, 3), "f"))


def folded(path):
    """Rows whose length is a multiple of four."""
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    return save(path, nodes, [("x", FLOAT, ["rows", "length"])], [("y", FLOAT, None)], shape=np.array([0, -1, 4]))


def product(path, *, columns):
    """A product that takes one number of columns only."""
    nodes = [helper.make_node("MatMul", ["x", "w"], ["y"])]
    return save(path, nodes, [("x", FLOAT, ["rows", "columns"])], [("y", FLOAT, None)], w=np.ones((columns, 2), "f"))


def test_what_was_run_is_in_the_proof(tmp_path):
    path = words(tmp_path / "words.onnx")
    spec = dummyio.describe(path)
    assert spec == dummyio.describe(path, prove="off")
    assert spec.proof.level == "values"
    assert spec.proof.sizes[0] == spec.sizes()
    assert (spec.proof.corrections, spec.proof.unproved) == ((), ())
    assert str(spec.proof).startswith(f"proved: ran with values at {len(spec.proof.sizes)} sizes, onnxruntime ")
    assert dummyio.describe(onnx.load(path)).proof == spec.proof
    inferred = dummyio.describe(path, prove="shapes").proof
    assert (inferred.level, list(inferred.versions)) == ("shapes", ["onnx"])


@pytest.mark.parametrize("level", ["shapes", "values"])
def test_a_length_that_is_a_multiple_is_declared(tmp_path, level):
    spec = dummyio.describe(folded(tmp_path / "folded.onnx"), prove=level)
    assert spec.dims["length"] == Dim("length", 16, min=4, multiple_of=4)
    assert "multiple_of=4" in spec.proof.corrections[0]


@pytest.mark.parametrize("level", ["shapes", "values"])
@pytest.mark.parametrize("columns", [5, 64])
def test_an_axis_that_takes_one_size_is_static(tmp_path, level, columns):
    spec = dummyio.describe(product(tmp_path / "product.onnx", columns=columns), prove=level)
    assert Dim.static("columns", columns) in spec["x"].shape
    assert spec.proof.corrections[0].startswith("sizes: x float32")


def test_a_length_above_a_table_of_positions_is_the_longest_one(tmp_path):
    nodes = [
        helper.make_node("CumSum", ["attention_mask", "axis"], ["counted"]),
        helper.make_node("Gather", ["places", "counted"], ["y"]),
    ]
    inputs = [("attention_mask", INT64, ["batch_size", "sequence_length"])]
    weights = {"axis": np.array(-1), "places": np.zeros((13, 4), "f")}
    spec = dummyio.describe(save(tmp_path / "m.onnx", nodes, inputs, [("y", FLOAT, None)], **weights))
    assert list(spec.dims.values()) == [Dim("batch_size", 2), Dim("sequence_length", 12, max=12)]


def test_axes_of_several_inputs_that_must_be_equal_are_one(tmp_path):
    nodes = [helper.make_node("Concat", ["x", "y", "z"], ["all"], axis=1)]
    inputs = [(name, FLOAT, [None, size]) for name, size in (("x", 4), ("y", 8), ("z", 2))]
    path = save(tmp_path / "joined.onnx", nodes, inputs, [("all", FLOAT, None)])
    spec = dummyio.describe(path)
    assert len({leaf.shape[0] for _, leaf in spec.leaves}) == 1
    assert not spec["x"].shape[0].fixed
    assert spec.proof.level == "values"


def test_ids_that_exceed_a_table_after_arithmetic_are_lowered(tmp_path):
    nodes = [
        helper.make_node("Mul", ["codes", "codes"], ["squares"]),
        helper.make_node("Gather", ["table", "squares"], ["y"]),
    ]
    path = save(
        tmp_path / "m.onnx", nodes, [("codes", INT64, ["n"])], [("y", FLOAT, None)], table=np.zeros((9, 3), "f")
    )
    raised = dummyio.InputSpec({"codes": dummyio.describe(path)["codes"].replace(values=dummyio.values.Uniform(0, 50))})
    proved = prove_source.prove(path, raised, "values", {})
    assert proved["codes"].values.high == 3  # 2 * 2 is below 9, 3 * 3 is not
    assert proved.proof.corrections == ("ids of codes stay below 3: larger ones are refused",)


def test_what_no_correction_mends_is_refused_with_the_runtimes_own_line(tmp_path):
    nodes = [helper.make_node("Reshape", ["x", "shape"], ["y"])]
    path = save(
        tmp_path / "m.onnx", nodes, [("x", FLOAT, ["n", 3])], [("y", FLOAT, None)], shape=np.array([-1, 1 << 20])
    )
    with pytest.raises(SourceError, match=r"m\.onnx refuses the inputs .*x float32\[2, 3\].*Reshape.*prove='off'"):
        dummyio.describe(path, prove="values")
    assert dummyio.describe(path, prove="off").proof.level == "rules"


def test_a_file_above_the_limit_is_not_opened(tmp_path, monkeypatch):
    path = words(tmp_path / "words.onnx")
    monkeypatch.setattr(file_runs, "MAX_SMALL_FILE", 100)
    proof = dummyio.describe(path).proof
    assert proof.level == "shapes"
    assert (
        proof.unproved[0].startswith(f"it has {path.stat().st_size} bytes") or "limit is 100 bytes" in proof.unproved[0]
    )
    assert dummyio.describe(path, prove="values").proof.level == "values"


def test_weights_in_other_files_are_opened_on_request_only(tmp_path):
    model = onnx.load(words(tmp_path / "words.onnx", rows=900))
    onnx.save(model, tmp_path / "split.onnx", save_as_external_data=True, location="weights", size_threshold=0)
    proof = dummyio.describe(tmp_path / "split.onnx").proof
    assert (proof.level, proof.unproved[0]) == (
        "shapes",
        "its weights are in other files, which a description does not open",
    )
    assert dummyio.describe(tmp_path / "split.onnx", prove="values").proof.level == "values"


def test_a_file_that_the_runtime_does_not_open_is_described_as_before(tmp_path):
    path = save(
        tmp_path / "own.onnx",
        [helper.make_node("Own", ["x"], ["y"], domain="mine")],
        [("x", FLOAT, ["n"])],
        [("y", FLOAT, None)],
    )
    spec = dummyio.describe(path)
    assert spec == dummyio.describe(path, prove="off")
    assert "it does not open (" in spec.proof.unproved[0]
    with pytest.raises(OptionError, match=r"prove='values': it does not open \("):
        dummyio.describe(path, prove="values")


def test_memory_that_a_run_would_take_is_limited(tmp_path):
    nodes = [helper.make_node("Expand", ["x", "shape"], ["y"])]
    path = save(
        tmp_path / "m.onnx", nodes, [("x", FLOAT, ["n", 1])], [("y", FLOAT, None)], shape=np.array([1, 1 << 34])
    )
    proof = dummyio.describe(path).proof
    assert proof.level == "shapes"
    assert "memory" in proof.unproved[0]


def test_a_process_that_ends_is_no_error_and_is_replaced(tmp_path):
    path = words(tmp_path / "words.onnx")
    assert dummyio.describe(path).proof.level == "values"
    (worker,) = [each for script, each in worker_process._IDLE.items() if script == prove_source._WORKER]
    os.kill(worker._process.pid, getattr(signal, "SIGKILL", signal.SIGTERM))
    worker._process.wait()
    assert dummyio.describe(path).proof.level == "values"


def test_inputs_without_an_effect_are_named():
    text = "(float[b, 4] x, float[b, 4] unused, string[b] words) => (float[b, 4] y, string[b] z) { y = Mul(x, x) z = Identity(words) }"
    proof = dummyio.describe(onnx.parser.parse_model(f'<ir_version: 10, opset_import: ["" : 20]> g {text}')).proof
    assert proof.level == "values"
    assert proof.ineffective == {"unused": "no result changes with it"}
