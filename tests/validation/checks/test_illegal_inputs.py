"""Inputs that must be refused: an artifact that answers them where the reference does not is named."""

import numpy as np
import pytest

import dummyio
from dummyio.errors import RunError
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.validation.checks.illegal_inputs import check_illegal_inputs
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.model_pair import Pair
from dummyio.validation.comparing.tolerance import Tolerances
from dummyio.values import Indices, PaddingMask, TokenIds

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 6, max=12)
SPEC = InputSpec(
    {
        "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, mask="attention_mask")),
        "attention_mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
        "places": TensorSpec("", (BATCH, 3), "int64", Indices("sequence_length")),
    }
)


class Text:
    """A runner that refuses what it is told to."""

    engine = "a test"
    outputs = None
    inputs = tuple(DeclaredTensor(path) for path, _ in SPEC.leaves)

    def __init__(self, *refused):
        self.refused = refused

    def __call__(self, feeds):
        ids, mask, places = (feeds[path] for path, _ in SPEC.leaves)
        wrong = {
            "id": ids.max() >= 50,
            "mask": not mask.any(),
            "place": places.max() >= ids.shape[-1] and ids.ndim == 2,
            "length": ids.shape[-1] > 12 and ids.ndim == 2,
            "axes": (ids.ndim, mask.ndim, places.ndim) != (2, 2, 2),
            "dtype": {ids.dtype, mask.dtype, places.dtype} != {np.dtype(np.int64)},
        }
        if any(wrong[name] for name in self.refused):
            raise RunError("it is refused")
        return {"sum": np.asarray(ids.sum())}


ALL = ("id", "mask", "place", "length", "axes", "dtype")


def find(actual, reference):
    pair = Pair(Cases(SPEC), actual, reference, Tolerances(None, None, None))
    return list(check_illegal_inputs(pair, pair.cases.plan()[0], "warning"))


@pytest.mark.parametrize(
    ("missing", "where", "what"),
    [
        ("id", {"input_ids"}, "it gets the id 50, one beyond its last"),
        ("mask", {"attention_mask"}, "it gets a mask that hides all positions"),
        ("place", {"places"}, "it gets the id 6, one beyond its last"),
        ("length", {"sequence_length"}, "it gets a size of 13, beyond its maximum 12"),
        ("axes", {"input_ids", "attention_mask", "places"}, "it gets 1 axes instead of 2"),
        ("dtype", {"input_ids", "attention_mask", "places"}, "it gets float32 instead of int64"),
    ],
)
def test_what_the_artifact_answers_and_the_reference_refuses(missing, where, what):
    found = find(Text(*(name for name in ALL if name != missing)), Text(*ALL))
    assert {finding.where for finding in found} == where
    assert {finding.kind for finding in found} == {"accepts illegal"}
    assert all(
        what in finding.message and finding.message.endswith("The reference refuses it: it is refused")
        for finding in found
    )


def test_what_the_reference_answers_too_is_no_finding():
    assert find(Text(), Text()) == []
    assert find(Text(*ALL), Text()) == []


def test_without_a_reference_all_that_is_answered_is_named():
    assert len(find(Text(), None)) == 10


def test_strict_makes_it_an_error(tmp_path):
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    sizes = ["batch_size", "sequence_length"]
    helper, kind = onnx.helper, onnx.TensorProto
    nodes = [
        helper.make_node("Clip", ["ids", "zero", "last"], ["clipped"]),
        helper.make_node("Gather", ["table", "clipped"], ["found"]),
    ]
    weights = [
        helper.make_tensor("zero", kind.INT64, [], [0]),
        helper.make_tensor("last", kind.INT64, [], [49]),
        helper.make_tensor("table", kind.FLOAT, [50], np.arange(50.0)),
    ]
    inputs = [helper.make_tensor_value_info("ids", kind.INT64, sizes)]
    graph = helper.make_graph(nodes, "g", inputs, [helper.make_tensor_value_info("found", kind.FLOAT, sizes)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9), tmp_path / "m.onnx")
    spec = InputSpec({"ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50))})

    def look_up(ids):
        if ids.max() > 49:
            raise ValueError("no such id")
        return {"found": np.arange(50, dtype=np.float32)[ids]}

    plain = dummyio.validate(tmp_path / "m.onnx", look_up, spec=spec)
    strict = dummyio.validate(tmp_path / "m.onnx", look_up, spec=spec, strict=True)
    assert plain.ok
    assert [(f.kind, f.where) for f in plain.warnings] == [("accepts illegal", "ids")]
    assert [(f.kind, f.where) for f in strict.errors] == [("accepts illegal", "ids")]


def test_an_input_that_is_cast_for_the_artifact_is_not_asked_for_another_dtype():
    half = DType.of(np.float16)

    class Half:
        engine, outputs, inputs = "a test", None, (DeclaredTensor("x", None, half),)

        def __call__(self, feeds):
            return {"y": feeds["x"]}

    class Single(Half):
        def __call__(self, feeds):
            if feeds["x"].dtype != np.float32:
                raise RunError("it is refused")
            return {"y": feeds["x"]}

    spec = InputSpec({"x": TensorSpec("", (BATCH,))})
    tolerances = Tolerances(None, None, "float16")
    pair = Pair(Cases(spec), Half(), Single(), tolerances, casts={"x": half})
    assert list(check_illegal_inputs(pair, pair.cases.plan()[0], "error")) == []
