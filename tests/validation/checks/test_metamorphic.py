"""Relations that hold for any export: for each a model that satisfies it, and one that violates it."""

import numpy as np
import pytest
import small_models as small

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import Normal
from dummyio.validation.checks.metamorphic import CHECKS


def mixes_rows(x):
    scores = small.perceptron(x)["scores"]
    return {"scores": scores + 0.01 * scores.mean(0)}


def knows_its_place(x):
    scores = small.perceptron(x)["scores"]
    return {"scores": scores + 0.01 * np.arange(len(x), dtype=np.float32)[:, None]}


def loses_a_single_row(x):
    scores = small.perceptron(x)["scores"]
    return {"scores": scores[0] if len(x) == 1 else scores}


def counts_padding(input_ids, attention_mask):
    return {"mean": small.TABLE[input_ids].mean(1) + 0 * attention_mask.sum()}


def forgets(input_ids, past_key_values):
    past = {"0": {"key": 0 * past_key_values["0"]["key"]}}
    return small.running(input_ids, past)


BREAKS = {
    "permuted rows": (knows_its_place, small.perceptron, small.FEATURES),
    "alone and in a batch": (mixes_rows, small.perceptron, small.FEATURES),
    "padding": (counts_padding, small.mean, small.TEXT),
    "prefill and decode": (forgets, small.running, small.STEPS),
}


def kinds(report):
    return {finding.kind for finding in report.errors}


def test_each_check_is_tested_here():
    assert set(BREAKS) == {check.name for check in CHECKS}


@pytest.mark.parametrize("name", BREAKS)
def test_a_violated_relation_is_found_without_a_reference(name):
    wrong, _, spec = BREAKS[name]
    assert name in kinds(dummyio.validate(wrong, spec=spec))


@pytest.mark.parametrize("name", BREAKS)
def test_a_model_that_satisfies_all_relations_passes(name):
    _, right, spec = BREAKS[name]
    report = dummyio.validate(right, right, spec=spec)
    assert report.ok, report


@pytest.mark.parametrize("name", BREAKS)
def test_a_relation_that_the_reference_violates_too_is_not_a_finding(name):
    wrong, _, spec = BREAKS[name]
    report = dummyio.validate(wrong, wrong, spec=spec)
    assert report.ok, report


@pytest.mark.parametrize("name", BREAKS)
def test_relations_can_be_left_out(name):
    wrong, _, spec = BREAKS[name]
    assert name not in kinds(dummyio.validate(wrong, spec=spec, relations=False))


def test_a_row_that_loses_its_axis_when_alone():
    report = dummyio.validate(loses_a_single_row, spec=small.FEATURES)
    (finding,) = [finding for finding in report.errors if finding.kind == "alone and in a batch"]
    assert "shape" in finding.message


def test_relations_of_rows_do_not_apply_to_flattened_batches():
    flat = Dim("batch_size", 2) * 3
    spec = InputSpec({"x": TensorSpec("x", (flat, 4), "float32", Normal())})
    assert dummyio.validate(knows_its_place, spec=spec).ok
