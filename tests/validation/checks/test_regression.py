"""Regressions between two reports."""

import msgspec
import pytest
import small_models as small

import dummyio
from dummyio.errors import SourceError


def scaled(by):
    return lambda x: {"scores": small.perceptron(x)["scores"] * by}


def validated(by, spec=small.FEATURES, **options):
    return dummyio.validate(scaled(by), small.perceptron, spec=spec, **options)


def news(report):
    return [(finding.severity, finding.where) for finding in report.findings if finding.kind == "baseline"]


def test_equal_reports_have_no_regression():
    assert not news(validated(1.0, baseline=validated(1.0)))
    assert not news(validated(1.01, baseline=validated(1.01)))


def test_a_new_error():
    report = validated(1.01, baseline=validated(1.0))
    assert [(finding.kind, finding.known) for finding in report.errors] == [("values", False)]


def test_a_known_error_does_not_fail_the_report():
    report = validated(1.01, baseline=validated(1.01))
    assert report.ok
    assert [(finding.kind, finding.where) for finding in report.known] == [("values", "scores")]
    assert "1 known error" in str(report)


def test_a_known_error_in_further_cases_is_new():
    def wrong_for_five(x):
        return {"scores": small.perceptron(x)["scores"] * (1.01 if len(x) == 5 else 1.0)}

    before = dummyio.validate(wrong_for_five, small.perceptron, spec=small.FEATURES)
    assert before.errors
    report = validated(1.01, baseline=before)
    assert ("values", "scores") in [(finding.kind, finding.where) for finding in report.errors]


def test_a_known_error_that_grew_fails_the_report():
    report = validated(1.5, baseline=validated(1.01))
    assert [(finding.kind, finding.where) for finding in report.errors] == [("baseline", "scores")]


def test_two_runs_differ_in_the_record_of_the_run_alone():
    first, again = ({**msgspec.to_builtins(validated(1.01)), "run": None} for _ in range(2))
    assert first == again
    record = validated(1.01).run
    assert record.date.endswith("+00:00")
    assert len(record.case_seconds) == len(validated(1.01).outcomes)


def test_an_error_that_grew_within_the_tolerance():
    wide = {"atol": 1.0}
    report = validated(1.01, baseline=validated(1.001, **wide), **wide)
    assert report.ok
    assert news(report) == [("warning", "scores")]


def test_an_error_that_became_smaller():
    assert not news(validated(1.0, baseline=validated(1.01)))


def test_a_baseline_from_a_file(tmp_path):
    validated(1.0).save(tmp_path / "before.json")
    assert not validated(1.01, baseline=tmp_path / "before.json").ok
    with pytest.raises(SourceError):
        validated(1.0, baseline=tmp_path / "after.json")


def test_a_baseline_of_another_spec_is_a_warning():
    other = small.FEATURES.with_dims(batch_size=5)
    assert ("warning", "spec") in news(validated(1.0, baseline=validated(1.0, spec=other)))


def test_a_known_error_of_more_integers_fails_the_report():
    def places(by):
        def run(x):
            found = small.perceptron(x)["scores"].argmax(axis=1)
            found[: by or len(found)] += 1
            return {"places": found}

        return run

    def right(x):
        return {"places": small.perceptron(x)["scores"].argmax(axis=1)}

    before = dummyio.validate(places(1), right, spec=small.FEATURES)
    assert dummyio.validate(places(1), right, spec=small.FEATURES, baseline=before).ok
    report = dummyio.validate(places(None), right, spec=small.FEATURES, baseline=before)
    assert [(finding.kind, finding.where) for finding in report.errors] == [("baseline", "places")]


def test_errors_of_a_model_with_other_inputs_are_not_known():
    def right(z):
        return small.perceptron(z)

    def wrong(z):
        return scaled(1.01)(z)

    spec = dummyio.InputSpec({"z": small.FEATURES["x"].replace(name="z")})
    report = dummyio.validate(wrong, right, spec=spec, baseline=validated(1.01))
    assert [(finding.kind, finding.where) for finding in report.errors] == [("values", "scores")]
    assert ("warning", "spec") in news(report)
