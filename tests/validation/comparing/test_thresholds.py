"""Sizes and ids at which an artifact may behave otherwise, each with a defect that only these show."""

import numpy as np
import pytest

import dummyio
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.validation.comparing.cases import Cases
from dummyio.validation.comparing.thresholds import list_left_out, list_thresholds, plan_thresholds
from dummyio.values import Normal, PaddingMask, Run, TokenIds

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 6, max=300)
FEATURES = InputSpec({"x": TensorSpec("", (BATCH, LENGTH, 4), values=Normal())})
TEXT = InputSpec(
    {
        "input_ids": TensorSpec(
            "", (BATCH, LENGTH), "int64", TokenIds(50, reserved=(0, 1, 2, 3, 4), mask="attention_mask", pad=1)
        ),
        "attention_mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
    }
)


class Model:
    """A model with windows, in a part of its configuration."""

    def __init__(self, **sizes):
        self.config = {"hidden_size": 8, "text_config": sizes}

    def __call__(self, x):
        return {"sums": x.cumsum(1)}


def find(report, kind="values"):
    return {case for finding in report.errors if finding.kind == kind for case in finding.cases}


def test_the_sizes_of_windows_are_read_from_the_configuration():
    assert list_thresholds(Model(sliding_window=12, chunk_size=4, window_size=None)) == (4, 12)
    assert list_thresholds(len) == ()  # without a text


def halve_long(x):
    sums = x.cumsum(1)
    if x.shape[1] >= 21:
        sums = sums / 2
    return {"sums": sums}


def halve_later(x):
    sums = x.cumsum(1)
    return {"sums": sums / 2 if x.shape[1] > 21 else sums}


def test_sizes_that_a_text_compares_with_are_run():
    assert list_thresholds(halve_long) == (21,)
    report = dummyio.validate(halve_later, halve_long, spec=FEATURES)
    assert find(report) | find(report, "baked") == {"sequence_length=21"}


def test_sizes_that_modules_compare_with_are_read():
    torch = pytest.importorskip("torch")

    class Windowed(torch.nn.Module):
        def forward(self, x):
            return x[:, -48:] if x.size(1) > 48 else x

    assert list_thresholds(torch.nn.Sequential(Windowed(), torch.nn.ReLU())) == (48,)


def test_sizes_on_both_sides_are_planned():
    plan = plan_thresholds(FEATURES, {"batch_size": 3, "sequence_length": 7}, (12,))
    assert [sizes["batch_size"] for sizes in plan[:3]] == [2, 5, 8]
    assert [sizes["sequence_length"] for sizes in plan[3:]] == [11, 12, 13, 31, 32, 33, 63, 64, 65, 127, 128, 129]


def test_bounds_and_multiples_of_a_dim_are_kept():
    hop = InputSpec({"x": TensorSpec("", (BATCH, Dim("sequence_length", 8, multiple_of=8, max=64)))})
    plan = plan_thresholds(hop, hop.sizes(), ())
    assert sorted(sizes["sequence_length"] for sizes in plan if sizes["batch_size"] == 2) == [32, 64]


def test_stated_sizes_that_are_too_large_are_named():
    wide = InputSpec({"x": TensorSpec("", (BATCH, Dim("sequence_length", 6), 4096))})
    assert list(list_left_out(wide, wide.sizes(), (12, 4096))) == [("sequence_length", 4097, 2 * 4097 * 4096 * 4)]
    report = dummyio.validate(lambda x: {"y": x[:, :1]}, ModelOfFirst(window=4096), spec=wide)
    assert [f.message for f in report.warnings if f.kind == "skipped"] == [
        "the model states a size of 4096; 4097 was not run: its inputs take 192 MiB."
    ]


class ModelOfFirst(Model):
    def __call__(self, x):
        return {"y": x[:, :1]}


@pytest.mark.parametrize(
    ("changes", "cases"),
    [
        (lambda x: len(x) > 4, {"other sizes", "batch_size=5", "batch_size=8"}),
        (lambda x: x.shape[1] > 64, {"sequence_length=65", "sequence_length=127", "sequence_length=300"}),
        (lambda x: x.shape[1] == 12, {"sequence_length=12"}),
        (lambda x: x.shape[1] == 300, {"sequence_length=300"}),
        (lambda x: x.shape[1] % 16 == 0 and x.shape[1] > 40, {"sequence_length=64", "sequence_length=128"}),
    ],
    ids=["a batch above four", "beyond a length", "at the window", "the last position", "multiples of 16"],
)
def test_another_branch_at_some_sizes_is_found_there(changes, cases):
    model = Model(sliding_window=12)

    def branching(x):
        sums = model(x)["sums"]
        return {"sums": sums * 1.1 if changes(x) else sums}

    report = dummyio.validate(branching, model, spec=FEATURES)
    assert dummyio.validate(model, model, spec=FEATURES).ok
    found = find(report) | find(report, "baked")
    assert cases <= found, found
    assert not {"distinct sizes", "sequence_length=31"} & found


def score(input_ids, attention_mask, pad=None, special=()):
    """Return the mean of the ids; a defective one leaves out the pad ids, or counts special ids as others."""
    kept = attention_mask.astype(bool) & (input_ids != pad if pad is not None else True)
    ids = np.where(np.isin(input_ids, special), 50, input_ids).astype(np.float32)
    return {"mean": (ids * kept).sum(1) / np.maximum(kept.sum(1), 1)}


@pytest.mark.parametrize(
    ("defect", "case"), [({"pad": 1}, "pad ids in a text"), ({"special": (3, 4)}, "special ids in a text")]
)
def test_special_ids_inside_a_text(defect, case):
    report = dummyio.validate(lambda **feeds: score(**feeds, **defect), score, spec=TEXT)
    assert find(report) == {case}


def test_special_ids_are_put_where_the_mask_keeps_twice_in_a_row_and_in_a_whole_row():
    cases = Cases(TEXT)
    case = next(case for case in cases.plan() if case.values == "specials")
    feeds = cases.feeds(case)
    ids, kept = feeds["input_ids"], feeds["attention_mask"].astype(bool)
    assert {0, 2} <= set(ids[0].tolist())
    assert (ids[0, :-1] == ids[0, 1:])[np.isin(ids[0, :-1], (0, 2, 3, 4))].any()
    assert set(ids[-1][kept[-1]].tolist()) <= {0, 2, 3, 4}
    assert set(ids[-1][~kept[-1]].tolist()) <= {1}


def test_placeholders_stay_as_many_as_there_are():
    rule = TokenIds(50, reserved=(0, 1, 7, 8), pad=1, runs=(Run(7, 1, 3),))
    spec = InputSpec({"input_ids": TensorSpec("", (BATCH, LENGTH), "int64", rule)})
    cases = Cases(spec)
    for case in cases.plan():
        ids = cases.feeds(case)["input_ids"]
        assert (ids[:, 1:4] == 7).all()
        assert (ids == 7).sum() == 3 * len(ids)
        assert 8 not in ids


def choose(x):
    return {"best": x.argmax(-1), "values": x}


@pytest.mark.parametrize(
    "changed",
    [
        lambda x: {**choose(x), "best": x.shape[-1] - 1 - x[..., ::-1].argmax(-1)},
        lambda x: choose(np.clip(x, -8, 8)),
        lambda x: {**choose(x), "best": (x + np.float16(1000)).astype(np.float16).argmax(-1)},
    ],
    ids=["ties", "saturated", "half precision inside"],
)
def test_ties_and_magnitudes(changed):
    report = dummyio.validate(changed, choose, spec=FEATURES)
    assert "magnitudes" in find(report)
