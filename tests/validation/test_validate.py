"""`validate` on models and files: reports that pass, findings, and errors."""

import itertools

import numpy as np
import pytest
import small_models as small

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import OptionError, RunError, SourceError
from dummyio.spec.values import Normal, Uniform


def kinds(report):
    return {finding.kind for finding in report.errors}


def validated(actual, **options):
    return dummyio.validate(actual, small.perceptron, spec=small.FEATURES, **options)


def test_a_model_passes_against_itself():
    report = validated(small.perceptron)
    assert report.ok
    assert report.runs["actual"] >= len(report.outcomes)
    assert type(report).from_json(report.to_json()) == report


def test_progress_is_reported():
    told = []
    validated(small.perceptron, progress=lambda *step: told.append(step))
    assert [number for number, _, _ in told] == list(range(1, told[0][1] + 1))


def test_values_that_differ():
    report = validated(lambda x: {"scores": small.perceptron(x)["scores"] * 1.001})
    assert kinds(report) == {"values"}


def test_a_given_tolerance():
    off = {"actual": lambda x: {"scores": small.perceptron(x)["scores"] * 1.001}}
    assert validated(**off, rtol=1e-2).ok
    assert validated(**off, tolerance="float16").ok
    assert not validated(**off, atol={"scores": 1e-9}).ok
    assert validated(**off, atol={"scores": 1e-1}, tolerance="float16").ok
    with pytest.raises(OptionError, match="give one of the two"):
        validated(**off, atol=1e-2, tolerance="float16")


@pytest.mark.parametrize(
    ("wrong", "kind"),
    [
        (lambda x: {"scores": small.perceptron(x)["scores"][:, :7]}, "shape"),
        (lambda x: {"score": small.perceptron(x)["scores"], "x": x}, "names"),
        (lambda x: {"scores": small.perceptron(x)["scores"].astype(np.float64)}, "dtype"),
        (lambda x: {"scores": np.where(x.sum() > 0, np.nan, 1) * small.perceptron(x)["scores"]}, "nonfinite"),
        (lambda x: small.perceptron(x.reshape(3, 4)), "baked"),
        (lambda x: small.perceptron(x[:, :3]), "run"),
    ],
    ids=["shape", "names", "dtype", "nonfinite", "baked", "run"],
)
def test_a_defect_has_a_kind(wrong, kind):
    assert kind in kinds(validated(wrong))


def test_outputs_by_position():
    def with_inputs(x):
        return {**small.perceptron(x), "x": x}

    def renamed(x):
        return dict(zip("yz", with_inputs(x).values(), strict=True))

    assert not dummyio.validate(renamed, with_inputs, spec=small.FEATURES).ok
    assert dummyio.validate(renamed, with_inputs, spec=small.FEATURES, match="position").ok


def compared_by_position(outputs):
    def three(x):
        return {"scores": small.perceptron(x)["scores"], "x": x, "best": x.argmax(axis=1)}

    def chosen(x):
        return dict(zip("abcd", outputs(*three(x).values()), strict=False))

    report = dummyio.validate(chosen, three, spec=small.FEATURES, match="position")
    return [(finding.kind, finding.severity, finding.where) for finding in report.findings if finding.kind != "vacuous"]


def test_each_output_is_asked_for_by_position_too():
    assert compared_by_position(lambda *found: found) == []
    assert compared_by_position(lambda scores, x, best: (scores, x)) == [("names", "error", "best")]
    assert [where for _, _, where in compared_by_position(lambda *found: ())] == ["scores", "x", "best"]
    assert compared_by_position(lambda *found: (*found, found[0])) == [("names", "warning", "d")]


def test_dtypes_are_compared_by_position_too():
    assert ("dtype", "error", "best") in compared_by_position(lambda s, x, best: (s, x, best.astype(np.float32)))
    assert ("dtype", "error", "x") in compared_by_position(lambda s, x, best: (s, x.astype(np.float64), best))


def test_models_without_outputs_are_not_ok():
    report = validated(lambda x: {})
    assert not report.ok
    report = dummyio.validate(lambda x: {}, lambda x: {}, spec=small.FEATURES)
    assert not report.ok
    assert {outcome.reason for outcome in report.outcomes} == {"the reference gives no output."}


@pytest.mark.parametrize(
    "wrong",
    [
        {"atol": "1"},
        {"atol": True},
        {"rtol": [1.0]},
        {"rtol": {"scores": "1"}},
        {"tolerance": ["int8"]},
        {"progress": 3},
        {"failing": 3},
    ],
    ids=str,
)
def test_options_of_a_wrong_type(wrong):
    with pytest.raises(OptionError, match=f"^{next(iter(wrong))}="):
        validated(small.perceptron, **wrong)


@pytest.mark.parametrize("factor", [1, 2])
def test_the_only_output_may_have_another_name(factor):
    report = validated(lambda x: {"y": factor * small.perceptron(x)["scores"]})
    assert report.ok == (factor == 1)
    (note,) = (finding for finding in report.warnings if finding.kind == "names")
    assert note.message == "the artifact calls its only output 'y': the two are compared."


def test_an_artifact_that_is_not_deterministic():
    numbers = itertools.count()
    report = validated(lambda x: {"scores": small.perceptron(x)["scores"] + np.float32(next(numbers))})
    assert "nondeterministic" in kinds(report)


def test_a_constant_output_is_a_warning():
    def constant(x):
        return {"scores": np.ones((len(x), 2), np.float32)}

    report = dummyio.validate(constant, constant, spec=small.FEATURES)
    assert [(finding.kind, finding.where) for finding in report.warnings] == [("vacuous", "scores"), ("vacuous", "x")]


def test_an_empty_output_is_a_warning():
    def nothing(x):
        return {"scores": x[:, :0]}

    report = dummyio.validate(nothing, nothing, spec=small.FEATURES)
    assert "vacuous" in {finding.kind for finding in report.warnings}


# Errors: no comparison is possible.


def test_a_reference_that_fails():
    def fails(x):
        raise ValueError("no")

    with pytest.raises(RunError, match=r"the reference itself fails.*batch_size"):
        dummyio.validate(small.perceptron, fails, spec=small.FEATURES)


def test_sizes_that_the_reference_refuses_are_skipped():
    def small_batches(x):
        if len(x) > 3:
            raise ValueError("too many")
        return small.perceptron(x)

    report = dummyio.validate(small.perceptron, small_batches, spec=small.FEATURES)
    assert report.ok
    assert "skipped" in {finding.kind for finding in report.warnings}


def test_a_reference_that_is_not_deterministic():
    numbers = itertools.count()
    with pytest.raises(RunError, match="not deterministic: scores"):
        dummyio.validate(small.perceptron, lambda x: {"scores": x + np.float32(next(numbers))}, spec=small.FEATURES)


def test_an_unknown_match():
    with pytest.raises(OptionError, match="'name' or by 'position'"):
        validated(small.perceptron, match="order")


def test_an_unknown_dim():
    with pytest.raises(OptionError, match="batch_size"):
        validated(small.perceptron, batch_sise=3)


def test_an_unknown_engine():
    with pytest.raises(OptionError, match="engine"):
        validated(small.perceptron, engine="fast")


def test_a_tolerance_for_an_unknown_output():
    with pytest.raises(OptionError, match="no output is named 'score'"):
        validated(small.perceptron, atol={"score": 1.0})


def test_a_missing_file(tmp_path):
    with pytest.raises(SourceError, match="no such file"):
        dummyio.validate(tmp_path / "model.onnx", small.perceptron)


def test_a_file_with_an_unknown_suffix(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"")
    with pytest.raises(SourceError, match="onnx"):
        dummyio.validate(tmp_path / "model.bin", small.perceptron, spec=small.FEATURES)


def test_inputs_that_only_the_file_has(tmp_path):
    path = small.write_onnx(tmp_path, "y")
    report = dummyio.validate(path, small.perceptron, spec=small.FEATURES)
    names = [(finding.where, finding.message) for finding in report.errors if finding.kind == "names"]
    assert ("y", "the reference does not have this input; the artifact gets values by its own declaration.") in names


# The declarations of a file.


def test_dims_of_outputs_only_are_not_checked(tmp_path):
    path = small.write_onnx(tmp_path, sizes=("batch_size", "hidden"))
    spec = InputSpec(dict(small.FEATURES), outputs=(dummyio.OutputSpec("scores", (small.BATCH, Dim("hidden", 1))),))
    assert dummyio.validate(path, small.perceptron, spec=spec).ok


def test_a_declared_symbol_with_another_size(tmp_path):
    columns = InputSpec({"x": TensorSpec("x", (small.BATCH, Dim("columns", 4, min=4, max=4)), "float32", Normal())})
    path = small.write_onnx(tmp_path, sizes=("batch_size", "batch_size"))
    report = dummyio.validate(path, small.perceptron, spec=columns)
    assert [(finding.kind, finding.where) for finding in report.errors] == [("symbols", "scores")]


def test_a_symbol_has_one_size(tmp_path):
    report = dummyio.validate(small.write_onnx(tmp_path, sizes=("n", "n")), small.perceptron, spec=small.FEATURES)
    assert [(finding.kind, finding.where) for finding in report.errors] == [("symbols", "scores")]


def test_a_size_that_is_declared_fixed(tmp_path):
    report = dummyio.validate(small.write_onnx(tmp_path, rows=3), small.perceptron, spec=small.FEATURES)
    assert ("baked", "batch_size") in {(finding.kind, finding.where) for finding in report.errors}


def test_the_largest_integers_are_drawn():
    spec = InputSpec({"x": TensorSpec("x", (small.BATCH,), "int64", Uniform(0, 2**31 + 1))})
    report = dummyio.validate(lambda x: {"y": x.astype(np.int32).astype(np.int64)}, lambda x: {"y": x}, spec=spec)
    assert [outcome.case.name for outcome in report.outcomes if outcome.status == "failed"] == ["ends of ranges"]
