"""Row lengths, indices and columns: ragged, tied to what they count, within their bounds, the same in parts and in samples."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dummyio import Dim, InputSpec, TensorSpec, materialize_part
from dummyio.errors import SpecError
from dummyio.values import Columns, Constant, Indices, Lengths, PaddingMask, TokenIds, Uniform

BATCH, LENGTH = Dim("batch_size", 4), Dim("sequence_length", 12, min=0)
NODES, EDGES = Dim("num_nodes", 7, min=0), Dim("num_edges", 9, min=0)


def build(mask=None):
    return InputSpec(
        {
            "features": TensorSpec("", (BATCH, LENGTH, 3)),
            "lengths": TensorSpec("", (BATCH,), "int64", Lengths("sequence_length")),
            "halves": TensorSpec("", (BATCH,), "int32", Lengths("sequence_length // 2", least=2)),
            "mask": TensorSpec("", (BATCH, LENGTH), "bool", mask or PaddingMask("left", pad=1)),
            "kept": TensorSpec("", (BATCH,), "int64", Lengths(mask="mask")),
            "nodes": TensorSpec("", (NODES, 2)),
            "edge_index": TensorSpec("", (2, EDGES), "int64", Indices("num_nodes")),
            "graph": TensorSpec("", (NODES,), "int64", Indices(3, "ascending")),
            "starts": TensorSpec("", (2, BATCH), "int64", Indices("num_edges", "starts")),
            "date": TensorSpec("", (BATCH, LENGTH, 2), "int64", Columns((13, 32), lows=(1, 1))),
            "codes": TensorSpec("", (BATCH, 2, LENGTH), "int16", Columns((4, 9), axis=-2)),
            "number": TensorSpec("", (), "int64", Lengths("sequence_length")),
        }
    )


def test_lengths_are_ragged_and_the_first_row_is_full():
    drawn = [build().feeds(sample=sample)["lengths"] for sample in range(40)]
    assert all(lengths[0] == 12 for lengths in drawn)
    assert {int(n) for lengths in drawn for n in lengths} == set(range(1, 13))


@pytest.mark.parametrize(("policy", "expected"), [("full", [12] * 4), ("shortest", [12, 3, 3, 3])])
def test_policies_of_lengths(policy, expected):
    spec = InputSpec({"n": TensorSpec("", (BATCH,), "int64", Lengths(12, least=3, policy=policy))})
    assert spec.feeds()["n"].tolist() == expected


@given(st.integers(0, 40), st.integers(1, 6), st.integers(0, 1000))
def test_lengths_follow_the_size_of_their_axis(length, batch, seed):
    made = build().feeds(seed=seed, sequence_length=length, batch_size=batch)
    assert made["lengths"][0] == made["number"] == length
    assert made["halves"][0] == length // 2
    assert ((made["halves"] >= min(2, length // 2)) & (made["halves"] <= length // 2)).all()
    assert ((made["lengths"] >= min(1, length)) & (made["lengths"] <= length)).all()


@pytest.mark.parametrize(
    "mask", [PaddingMask("left"), PaddingMask("right", pad=1), Uniform(0, 2), Constant(0)], ids=repr
)
@pytest.mark.parametrize("length", [0, 12, 70_000])
def test_lengths_count_what_a_mask_keeps(mask, length):
    made = build(mask).feeds(sequence_length=length)
    pad = getattr(mask, "pad", 0)
    assert made["kept"].tolist() == (made["mask"] != pad).sum(axis=1).tolist()


@given(st.integers(1, 30), st.integers(0, 50), st.integers(0, 1000))
def test_indices_stay_below_the_size_of_their_axis(nodes, edges, seed):
    made = build().feeds(seed=seed, num_nodes=nodes, num_edges=edges)
    assert made["edge_index"].shape == (2, edges)
    assert ((made["edge_index"] >= 0) & (made["edge_index"] < nodes)).all()
    assert (np.diff(made["graph"]) >= 0).all()
    assert (np.diff(made["starts"]) >= 0).all()
    assert not made["starts"][:, 0].any()
    assert (made["starts"] <= max(edges - 1, 0)).all()
    assert made["graph"][0] == 0 if nodes >= 3 else made["graph"].max() < 3
    assert made["graph"][-1] == 2 if nodes >= 3 else True


def test_both_ends_of_an_axis_are_indexed():
    drawn = {int(i) for sample in range(40) for i in build().feeds(sample=sample)["edge_index"].ravel()}
    assert drawn == set(range(7))


def test_columns_have_their_own_bounds():
    made = build().feeds(batch_size=200)
    for column, (low, high) in enumerate(((1, 13), (1, 32))):
        assert set(np.unique(made["date"][..., column])) == set(range(low, high))
    assert [int(made["codes"][:, row].max()) for row in range(2)] == [3, 8]


@pytest.mark.parametrize("length", [12, 70_000])
def test_parts_equal_the_whole(length):
    spec = build().with_dims(sequence_length=length, num_nodes=length, num_edges=length)
    made = spec.feeds(sample=2)
    for path, leaf in spec.leaves:
        for axis in range(leaf.rank):
            index = tuple(slice(1, None, 3) if k == axis else slice(None) for k in range(leaf.rank))
            part = materialize_part(spec, path, index, sample=2)
            assert part.tobytes() == made[path][index].tobytes(), path


def test_samples_made_together_equal_single_ones():
    spec = build()
    for sample, made in enumerate(spec.samples(5)):
        for path, values in spec.feeds(sample=sample).items():
            assert made[path].tolist() == values.tolist(), path


REFUSED = [
    (Lengths(), (4,), "give either the size of the axis"),
    (Lengths(5, mask="m"), (4,), "give either the size of the axis"),
    (Lengths(mask="m", least=2), (4,), "set least and policy there"),
    (Lengths(5, least=-1), (4,), "cannot be negative"),
    (Lengths(-1), (4,), "size must be at least 0"),
    (Lengths(300), (4,), "int8 holds"),
    (Indices(0), (4,), "holds nothing to index"),
    (Indices(300), (4,), "int8 holds"),
    (Columns((3, 0)), (4, 2), "column 1 holds no value"),
    (Columns((3, 4), lows=(1,)), (4, 2), "2 highs and 1 lows"),
    (Columns((3, 300)), (4, 2), "int8 holds"),
    (Columns((3, 4), axis=1), (4, 2), "counted from the end"),
]


@pytest.mark.parametrize(("rule", "shape", "reason"), REFUSED, ids=lambda value: repr(value)[:40])
def test_rules_that_hold_nothing_are_refused(rule, shape, reason):
    with pytest.raises(SpecError, match=reason):
        TensorSpec("x", shape, "int8", rule)


def test_bounds_that_do_not_fit_the_sizes_are_refused_where_values_are_made():
    with pytest.raises(SpecError, match=r"input 'edge_index': .* an axis of 0 holds nothing to index"):
        build().feeds(num_nodes=0)
    assert build().feeds(num_nodes=0, num_edges=0)["edge_index"].shape == (2, 0)
    with pytest.raises(SpecError, match="bounds of 3 columns do not fit an axis of 2"):
        InputSpec({"x": TensorSpec("", (4, 2), "int64", Columns((1, 2, 3)))}).feeds()
    with pytest.raises(SpecError, match="no dim is named 'nothing'"):
        InputSpec({"x": TensorSpec("", (4,), "int64", Lengths("nothing"))})
    mask = TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask())
    with pytest.raises(SpecError, match="it has an axis more"):
        InputSpec({"m": mask, "n": TensorSpec("", (LENGTH,), "int64", Lengths(mask="m"))})


def test_expressions_follow_renamed_dims():
    spec = build().with_dims(sequence_length=Dim("num_frames", 5), num_nodes=Dim.static("num_nodes", 3))
    assert str(spec["lengths"].values) == "Lengths(size='num_frames')"
    assert spec["edge_index"].values == Indices("num_nodes")
    assert InputSpec.from_json(spec.to_json()) == spec


def test_ids_and_lengths_may_follow_one_mask():
    spec = InputSpec(
        {
            "ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, reserved=(0,), mask="mask")),
            "mask": TensorSpec("", (BATCH, LENGTH), "int64", PaddingMask()),
            "lengths": TensorSpec("", (BATCH,), "int64", Lengths(mask="mask")),
        }
    )
    made = spec.feeds()
    assert (made["ids"] != 0).sum(axis=1).tolist() == made["lengths"].tolist() != [12] * 4
