"""Regressions between two reports."""

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
    assert ("error", "scores") in news(validated(1.01, baseline=validated(1.0)))


def test_an_error_that_grew_within_the_tolerance():
    wide = {"atol": 1.0}
    report = validated(1.01, baseline=validated(1.001, **wide), **wide)
    assert report.ok
    assert news(report) == [("warning", "scores")]


def test_an_error_that_became_smaller():
    assert not news(validated(1.0, baseline=validated(1.01)))


def test_a_baseline_from_a_file(tmp_path):
    validated(1.0).save(tmp_path / "before.json")
    assert news(validated(1.01, baseline=tmp_path / "before.json"))
    with pytest.raises(SourceError):
        validated(1.0, baseline=tmp_path / "after.json")


def test_a_baseline_of_another_spec_is_a_warning():
    other = small.FEATURES.with_dims(batch_size=5)
    assert ("warning", "spec") in news(validated(1.0, baseline=validated(1.0, spec=other)))
