"""Results that depend on nothing but what a mask hides are arbitrary; all others count."""

import numpy as np
import pytest

import dummyio
from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import PaddingMask, TokenIds

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 6)


def text(side="right"):
    inputs = {
        "ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, low=3, mask="mask", pad=1)),
        "mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask(side=side)),
    }
    return InputSpec(inputs)


def means(ids, mask, empty="zero"):
    """Return the mean of the tokens that each token sees, beside itself; where it sees none, a kernel gives 0, another the mean of all."""
    count = mask.cumsum(axis=1)
    seen = np.where(count > 0, (ids * mask).cumsum(axis=1) / np.maximum(count, 1), 0.0)
    if empty == "mean":
        seen = np.where(count > 0, seen, ids.mean(axis=1, keepdims=True))
    return {"states": (seen + ids).astype(np.float32), "last": ids[:, -1]}


def other_kernel(ids, mask):
    return means(ids, mask, "mean")


@pytest.mark.parametrize("side", ["left", "right"])
def test_where_nothing_is_seen_kernels_may_differ(side):
    report = dummyio.validate(other_kernel, means, spec=text(side))
    assert report.ok
    assert {outcome.status for outcome in report.outcomes} == {"passed"}


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_is_seen_counts_in_the_same_rows(side):
    def wrong_in_padded_rows(ids, mask):
        found = other_kernel(ids, mask)
        found["states"][:, -1] += (mask[:, 0] == 0) * np.float32(0.1)  # the last token of rows that begin with padding
        return found

    report = dummyio.validate(wrong_in_padded_rows, other_kernel, spec=text(side))
    (finding,) = (finding for finding in report.errors if finding.kind == "values")
    assert finding.where == "states"
    assert "padded on the left" in finding.cases or side == "left"


def test_nan_where_nothing_is_seen_is_a_defect():
    def with_nan(ids, mask):
        found = means(ids, mask)
        found["states"][mask.cumsum(axis=1) == 0] = np.nan
        return found

    report = dummyio.validate(with_nan, means, spec=text())
    assert ("nonfinite", "states") in {(finding.kind, finding.where) for finding in report.errors}


def test_hidden_ends_of_rows_count():
    def wrong_behind_the_text(ids, mask):
        found = means(ids, mask)
        found["states"] = found["states"] + np.where(mask == 0, np.float32(0.1), np.float32(0))
        return found

    report = dummyio.validate(wrong_behind_the_text, means, spec=text())
    assert ("values", "states") in {(finding.kind, finding.where) for finding in report.errors}


def test_behind_a_text_by_more_than_a_window_nothing_is_seen():
    def windowed(ids, mask, empty=0.0):
        total, count = (values.cumsum(axis=1) for values in (ids * mask, mask))
        total, count = (values - np.pad(values, ((0, 0), (2, 0)))[:, :-2] for values in (total, count))
        seen = np.where(count > 0, total / np.maximum(count, 1), empty * ids.mean(axis=1, keepdims=True))
        return {"states": (seen + ids).astype(np.float32)}

    assert not windowed(np.array([[5, 1, 1, 1]]), np.array([[1, 0, 0, 0]]))["states"][0, 3] - 1
    report = dummyio.validate(lambda ids, mask: windowed(ids, mask, 1.0), windowed, spec=text())
    assert report.ok
