"""Masks with 1 for hidden positions: all parts that read masks interpret them in this way."""

import numpy as np
import pytest

import dummyio
from dummyio.cli.tables import build_input_rows
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, TokenIds
from dummyio.testing.sample_coherence import find_incoherent_inputs
from dummyio.validation.checks.metamorphic import _without_hidden
from dummyio.validation.comparing.cases import Cases

BATCH, LENGTH = Dim("batch_size", 4), Dim("sequence_length", 9)


@pytest.fixture
def spec():
    return InputSpec(
        {
            "input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(99, low=1, mask="attention_mask")),
            "attention_mask": TensorSpec("", (BATCH, LENGTH), "bool", PaddingMask(pad=1)),
        }
    )


def test_a_sample_is_coherent(spec):
    values = spec.feeds()
    assert find_incoherent_inputs(spec, values) == []
    values["attention_mask"][1] = True
    assert "attention_mask: keeps nothing in some row." in map(str, find_incoherent_inputs(spec, values))


def test_a_row_that_is_all_padding_is_hidden(spec):
    cases = Cases(spec)
    case = next(case for case in cases.plan() if case.values == "hidden_row")
    mask = cases.feeds(case)["attention_mask"]
    assert mask[-1].all()
    assert not mask[0].any()


def test_masks_that_hide_nothing(spec):
    kept = _without_hidden(spec, spec.feeds())
    assert not kept["attention_mask"].any()
    assert kept["attention_mask"].dtype == np.bool_


def test_the_table_states_which_value_hides(spec):
    held = {row["name"]: row["holds"] for row in build_input_rows(spec)}
    assert held["attention_mask"] == "mask, ragged, padded right, 1 hides"
    assert held["input_ids"] == "ids [1, 99), 0 where attention_mask is 1"


def average(input_ids, attention_mask):
    shown = ~attention_mask
    mean = (input_ids * shown).sum(1) / np.maximum(shown.sum(1), 1)
    return {"mean": mean.astype("float32")}


def spoil(input_ids, attention_mask):
    """As models whose attention over nothing is NaN, which a sum over all rows spreads."""
    shown = ~attention_mask
    return (
        average(input_ids, attention_mask) if shown.any(1).all() else {"mean": np.full(len(shown), np.nan, "float32")}
    )


def test_a_reference_whose_nan_spreads_from_a_hidden_row_says_nothing(spec):
    assert dummyio.validate(average, spoil, spec=spec).ok


def test_a_hidden_row_that_is_nan_in_the_reference_alone_is_a_difference(spec):
    def divide(input_ids, attention_mask):
        shown = ~attention_mask
        with np.errstate(invalid="ignore"):
            return {"mean": ((input_ids * shown).sum(1) / shown.sum(1)).astype("float32")}

    report = dummyio.validate(average, divide, spec=spec)
    assert [(found.kind, found.where) for found in report.errors] == [("nonfinite", "mean")]


def test_an_artifact_that_is_nan_where_a_row_is_hidden_is_wrong(spec):
    report = dummyio.validate(spoil, average, spec=spec)
    assert [(found.kind, found.where) for found in report.errors] == [("nonfinite", "mean")]
