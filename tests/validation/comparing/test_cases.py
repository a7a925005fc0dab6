"""The cases of a validation: their plan, their feeds, and that a record reproduces its case."""

import msgspec
import numpy as np
import pytest

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.values import Indices, Lengths, Normal, PaddingMask, TokenIds, Uniform
from dummyio.validation.comparing.case_values import find_padding_masks
from dummyio.validation.comparing.cases import Cases, find_batch_axis, find_row_axes
from dummyio.validation.data.records import Case

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 6, max=40)


def text(side="right", **ids):
    inputs = {
        "ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, low=3, mask="mask", pad=1, **ids)),
        "mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask(side=side)),
    }
    return InputSpec(inputs)


def named(cases, name):
    return next(case for case in cases.plan() if case.name == name)


@pytest.mark.parametrize("seed", [0, 7])
def test_each_case_is_reproduced_from_its_record(seed):
    cases = Cases(text(), seed)
    for case in cases.plan():
        kept = msgspec.json.decode(msgspec.json.encode(case), type=Case)
        first, again = cases.feeds(case), Cases(InputSpec.from_json(text().to_json())).feeds(kept)
        assert list(first) == list(again)
        for path, values in first.items():
            np.testing.assert_array_equal(values, again[path], strict=True)


def test_another_seed_has_other_values():
    first, other = (Cases(text(), seed) for seed in (0, 1))
    assert (first.feeds(first.plan()[0])["ids"] != other.feeds(other.plan()[0])["ids"]).any()


def test_feeds_are_the_callers_own():
    cases = Cases(text())
    case = cases.plan()[0]
    cases.feeds(case)["ids"][:] = 0
    assert cases.feeds(case)["ids"].any()


def test_the_first_case_has_sizes_that_differ():
    sizes = Cases(text()).plan()[0].sizes
    assert len(set(sizes.values())) == len(sizes)


def test_the_names_of_cases_differ():
    names = [case.name for case in Cases(text()).plan()]
    assert len(set(names)) == len(names)


def test_cases_that_change_masks_change_nothing_else():
    cases = Cases(text())
    first = cases.plan()[0]
    for name in ("nothing padded", "shortest rows", "padded on the left"):
        case = named(cases, name)
        assert (case.sizes, case.seed, case.sample) == (first.sizes, first.seed, first.sample)


@pytest.mark.parametrize(("side", "other"), [("right", "left"), ("left", "right")])
def test_the_other_side_is_padded_too(side, other):
    cases = Cases(text(side))
    mask = cases.feeds(named(cases, f"padded on the {other}"))["mask"]
    ragged = mask[mask.sum(-1) < mask.shape[-1]]
    assert (ragged[:, -1 if other == "left" else 0] == 1).all()


def test_full_masks_and_shortest_masks():
    cases = Cases(text())
    assert cases.feeds(named(cases, "nothing padded"))["mask"].all()
    assert (cases.feeds(named(cases, "shortest rows"))["mask"].sum(-1)[1:] == 1).all()


def test_a_row_is_all_padding():
    cases = Cases(text())
    mask = cases.feeds(named(cases, "a row all padding"))["mask"]
    assert not mask[-1].any()
    assert mask[0].any()


def test_the_ends_of_a_vocabulary_are_drawn():
    cases = Cases(text())
    ids = cases.feeds(named(cases, "ends of ranges"))["ids"]
    assert {3, 49} <= set(ids.reshape(-1).tolist())


def test_ids_with_a_meaning_are_not_the_ends_of_the_range():
    spec = text(last=49, reserved=(3, 48))
    cases = Cases(spec)
    feeds = cases.feeds(named(cases, "ends of ranges"))
    kept = feeds["ids"][feeds["mask"] == 1]
    assert {4, 47} <= set(kept.tolist())
    assert not {3, 48} & set(kept.tolist())


def test_padding_stays_padding_at_the_ends():
    cases = Cases(text())
    feeds = cases.feeds(named(cases, "ends of ranges"))
    assert (feeds["ids"][feeds["mask"] == 0] == 1).all()


def test_the_ends_of_integers_are_drawn():
    spec = InputSpec({"x": TensorSpec("", (BATCH, 5), "int32", Uniform(-1000, 1000))})
    cases = Cases(spec)
    assert {-1000, 999} <= set(cases.feeds(named(cases, "ends of ranges"))["x"].reshape(-1).tolist())


def test_a_spec_without_inputs_has_a_case():
    assert len(Cases(InputSpec({})).plan()) == 1


def test_the_axes_of_rows():
    assert find_batch_axis(TensorSpec("x", (4, BATCH, 3), "float32")) == 1
    assert find_batch_axis(TensorSpec("x", (4, 3), "float32")) is None
    assert find_batch_axis(TensorSpec("x", (BATCH * 2, 3), "float32")) is None
    assert list(find_padding_masks(text())) == ["mask"]
    spec = InputSpec({"x": TensorSpec("", (BATCH, 3), "float32")}, outputs=(OutputSpec("states", (4, BATCH)),))
    found = {"states": np.zeros((4, 2)), "scores": np.zeros((2, 3)), "loss": np.zeros(()), "other": np.zeros((5, 2))}
    assert find_row_axes(spec, {"batch_size": 2}, found) == {"states": 1, "scores": 0}


def test_lengths_and_indices_reach_both_ends_of_their_ranges():
    spec = InputSpec(
        {
            "features": TensorSpec("", (BATCH, LENGTH)),
            "lengths": TensorSpec("", (BATCH,), "int64", Lengths("sequence_length", least=2)),
            "places": TensorSpec("", (BATCH, 3), "int64", Indices("sequence_length")),
        }
    )
    case = named(cases := Cases(spec), "ends of ranges")
    size = case.sizes["sequence_length"]
    lengths, places = (cases.feeds(case)[name] for name in ("lengths", "places"))
    assert (lengths.min(), lengths.max()) == (2, size)
    assert (places.min(), places.max()) == (0, size - 1)


@pytest.mark.parametrize("is_calibrated", [False, True])
def test_what_is_calibrated_gets_no_numbers_beyond_the_usual(is_calibrated):
    spec = InputSpec({"x": TensorSpec("", (BATCH, 4), values=Normal())})
    names = {case.name for case in Cases(spec, is_calibrated=is_calibrated).plan()}
    assert ("magnitudes" in names) != is_calibrated
