"""Inputs that only the artifact, or only the reference, takes: said once, and the rest is compared."""

import numpy as np
import pytest

import dummyio
from dummyio.errors import RunError
from dummyio.exporting.artifact import spec_path
from dummyio.input_spec import InputSpec
from dummyio.running.runner import DeclaredTensor
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.validation.checks.declared_signature import check_inputs
from dummyio.validation.comparing.match_inputs import match_inputs
from dummyio.values import PaddingMask, TokenIds

onnx = pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")

from onnx import TensorProto, helper

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 5)
SPEC = InputSpec(
    {
        "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, mask="attention_mask")),
        "attention_mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
    }
)


def build_sum(*names, factor=1):
    """Return a model whose output is the sum of its inputs, times a factor."""
    sizes = ["batch_size", "sequence_length"]
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, sizes) for name in names]
    weight = helper.make_tensor("factor", TensorProto.INT64, [], [factor])
    nodes = [helper.make_node("Sum", [f"{name}_real" for name in names], ["total_real"])]
    nodes += [helper.make_node("Cast", [name], [f"{name}_real"], to=TensorProto.FLOAT) for name in names]
    nodes = [*nodes[1:], nodes[0], helper.make_node("Cast", ["factor"], ["factor_real"], to=TensorProto.FLOAT)]
    nodes.append(helper.make_node("Mul", ["total_real", "factor_real"], ["total"]))
    output = helper.make_tensor_value_info("total", TensorProto.FLOAT, sizes)
    graph = helper.make_graph(nodes, "sum", inputs, [output], [weight])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


def add(input_ids, attention_mask=None):
    total = np.asarray(input_ids, np.float32)
    return {"total": total if attention_mask is None else total + attention_mask}


def kinds(report):
    return [(finding.kind, finding.severity, finding.where) for finding in report.findings if finding.kind != "vacuous"]


def test_what_the_reference_runs_without_is_left_out_on_both_sides():
    report = dummyio.validate(build_sum("input_ids"), add, spec=SPEC)
    assert report.ok
    assert kinds(report) == [("left out", "warning", "attention_mask")]
    assert {outcome.status for outcome in report.outcomes} == {"passed"}


def test_a_defect_is_found_beside_an_input_that_is_left_out():
    report = dummyio.validate(build_sum("input_ids", factor=2), add, spec=SPEC)
    assert ("values", "error", "total") in kinds(report)
    assert ("names", "error", "attention_mask") not in kinds(report)


def test_what_the_reference_needs_is_one_error_and_the_rest_is_compared():
    def needing(input_ids, attention_mask):
        return add(input_ids, attention_mask)

    report = dummyio.validate(build_sum("input_ids"), needing, spec=SPEC)
    assert kinds(report)[0] == ("names", "error", "attention_mask")
    assert ("values", "error", "total") in kinds(report)
    assert all(outcome.comparisons for outcome in report.outcomes)


def test_what_only_the_artifact_takes_is_one_error_and_the_rest_is_compared():
    spec = InputSpec({"input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50))})
    report = dummyio.validate(build_sum("input_ids", "bias"), add, spec=spec)
    assert kinds(report)[0] == ("names", "error", "bias")
    assert ("values", "error", "total") in kinds(report)
    assert not [finding for finding in report.findings if finding.kind in ("run", "skipped")]


def build_product(kind, weight):
    """Return a model in half precision: rows times a matrix."""
    inputs, outputs = (
        helper.make_tensor_value_info(name, kind, ["batch_size", size]) for name, size in (("x", 8), ("y", 4))
    )
    held = onnx.numpy_helper.from_array(weight.astype(np.float16), "weight")
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "weight"], ["y"])], "g", [inputs], [outputs], [held])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)


@pytest.mark.parametrize(("factor", "ok"), [(1, True), (1.1, False)])
def test_values_are_cast_for_an_artifact_in_half_precision(factor, ok):
    weight = np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)
    spec = InputSpec({"x": TensorSpec("", (BATCH, 8))})
    model = build_product(TensorProto.FLOAT16, factor * weight)
    report = dummyio.validate(model, lambda x: {"y": x @ weight}, spec=spec)
    assert report.ok == ok
    assert [finding.message for finding in report.warnings if finding.kind == "dtype"] == [
        "the artifact takes float16: the values of the spec are cast to it.",
        "the artifact returns float16, the reference float32.",
    ]
    assert report.tolerances["y"].reason == "weights or arithmetic in float16"
    assert {finding.kind for finding in report.errors} == (set() if ok else {"values"})


def test_an_input_that_is_not_declared_well_enough_is_refused():
    model = build_sum("input_ids", "bias")
    model.graph.input[1].type.CopyFrom(helper.make_sequence_type_proto(model.graph.input[0].type))
    spec = InputSpec({"input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50))})
    with pytest.raises(RunError, match=r"the artifact has inputs that are not in the spec: bias\. "):
        match_inputs(spec, lambda _: Declaring("input_ids", "bias"), None, lambda: dummyio.describe(model, prove="off"))


class Declaring:
    """A runner with these inputs."""

    def __init__(self, *names):
        self.inputs = tuple(DeclaredTensor(name) for name in names)


def test_a_reference_is_described_with_its_past_for_an_artifact_that_takes_one(tmp_path):
    hf = pytest.importorskip("transformers")
    pytest.importorskip("torch")
    pytest.importorskip("onnxscript")
    model = hf.GPT2LMHeadModel(
        hf.GPT2Config(vocab_size=50, n_embd=16, n_layer=1, n_head=2, bos_token_id=0, eos_token_id=1)
    )
    task = "text-generation-with-past"
    artifact = dummyio.export(model.eval(), tmp_path / "model.onnx", task, exporter="torchscript")
    spec_path(artifact.path).unlink()  # a file of another exporter
    report = dummyio.validate(artifact.path, model)
    assert report.ok
    assert "past_key_values.0.key" in [row.name for row in report.inputs]
    assert not [finding for finding in report.findings if finding.kind in ("names", "left out")]


def matched_alone(shape, *, is_derived, reference=add):
    """Return the inputs of a file with the one input `ids`, for a reference with the one input `input_ids`."""

    def open_file(_):
        return dummyio.open_runner(model)

    model = build_sum("ids")
    spec = InputSpec({"input_ids": TensorSpec("", shape, "int64", TokenIds(50))})
    return match_inputs(
        spec,
        open_file,
        lambda spec: dummyio.open_runner(reference, spec),
        lambda: dummyio.describe(model),
        is_derived=is_derived,
    )


def test_the_only_input_may_have_another_name_if_nobody_stated_one():
    matched = matched_alone((BATCH, LENGTH), is_derived=True)
    assert [(finding.kind, finding.severity, finding.where) for finding in matched.findings] == [
        ("names", "warning", "input_ids")
    ]
    assert matched.findings[0].message == "the artifact calls its only input 'ids': the two are compared."
    assert [port.name for port in matched.actual.inputs] == ["input_ids"]
    feeds = matched.spec.feeds()
    assert (matched.actual(feeds)["total"] == feeds["input_ids"]).all()


def test_an_only_input_of_a_stated_name_is_not_another():
    matched = matched_alone((BATCH, LENGTH), is_derived=False)
    errors = {finding.where for finding in matched.findings if (finding.kind, finding.severity) == ("names", "error")}
    assert errors == {"input_ids", "ids"}


def test_the_rank_of_the_artifact_is_taken_if_the_reference_runs_on_it():
    matched = matched_alone((BATCH,), is_derived=True)
    assert [(finding.kind, finding.severity) for finding in matched.findings] == [
        ("names", "warning"),
        ("rank", "warning"),
    ]
    assert matched.spec["input_ids"].rank == 2


def test_a_rank_that_the_reference_refuses_is_not_taken():
    def count(input_ids):
        (rows,) = input_ids.shape
        return {"total": np.full(rows, rows)}

    matched = matched_alone((BATCH,), is_derived=True, reference=count)
    assert matched.spec["input_ids"].rank == 1
    declared = check_inputs(matched.spec, matched.actual)
    assert ("rank", "error") in {(finding.kind, finding.severity) for finding in declared}


def test_an_input_that_a_function_does_not_take_is_left_out_on_both_sides():
    torch = pytest.importorskip("torch")

    class Shifted(torch.nn.Module):
        def forward(self, x, by=None, scale=None):
            x = x if by is None else x + by
            return x if scale is None else x * scale

    row = TensorSpec("x", (BATCH, 3))
    spec = InputSpec({"x": row, "by": row.replace(name="by"), "scale": row.replace(name="scale")})
    report = dummyio.validate(lambda x, scale: x * scale, Shifted(), spec=spec)
    assert report.ok
    assert [finding.where for finding in report.findings if finding.kind == "left out"] == ["by"]
    assert not dummyio.validate(lambda x: 2 * x, Shifted(), spec=spec).ok
