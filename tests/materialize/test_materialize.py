"""A value is a function of seed, sample, path and index: of nothing else, whichever way it is made."""

import hashlib
import os
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dummyio.errors import DimError, OptionError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.materialize import block_fill as fill
from dummyio.materialize import generate as materialize
from dummyio.materialize import plan as plans
from dummyio.materialize.counter_rng import PERIOD
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import (
    Constant,
    Grid,
    Labels,
    Normal,
    OneHot,
    PaddingMask,
    Positions,
    Range,
    Strings,
    TokenIds,
    Uniform,
)


def assert_same(one, other):
    """Equal bit for bit, NaN and signs of zeros too."""
    assert one.keys() == other.keys()
    for path in one:
        assert_equal(one[path], other[path], path)


def assert_equal(one, other, path=""):
    assert one.dtype == other.dtype, path
    assert one.shape == other.shape, path
    if one.dtype == object:
        assert one.tolist() == other.tolist(), path
    else:
        assert one.tobytes() == other.tobytes(), path


def fresh(spec):
    """The same spec without the plans that it keeps."""
    return InputSpec.from_json(spec.to_json())


# Parts.


@given(data=st.data())
def test_a_part_is_that_part_of_the_whole(zoo, data):
    path, leaf = data.draw(st.sampled_from(zoo.leaves))
    sizes = {"batch_size": data.draw(st.integers(1, 5)), "sequence_length": data.draw(st.integers(0, 9))}
    seed, sample = data.draw(st.integers(-3, 3)), data.draw(st.integers(0, 3))
    whole = zoo.feeds(seed=seed, sample=sample, **sizes)[path]
    bounds = st.none() | st.integers(-10, 10)
    slices = st.builds(slice, bounds, bounds, st.none() | st.integers(1, 4))
    index = data.draw(st.lists(slices, max_size=leaf.rank).map(tuple))
    part = materialize_part(zoo, path, index, seed=seed, sample=sample, **sizes)
    assert_equal(part, np.ascontiguousarray(whole[index]).reshape(whole[index].shape), path)


def test_parts_put_together_are_the_whole(zoo):
    whole = zoo.feeds(sequence_length=10)
    for path, leaf in zoo.leaves:
        if leaf.rank:
            half = whole[path].shape[0] // 2
            parts = [
                materialize_part(zoo, path, [piece], sequence_length=10) for piece in (slice(half), slice(half, None))
            ]
            assert_equal(np.concatenate(parts), whole[path], path)
        else:
            assert_equal(materialize_part(zoo, path, [], sequence_length=10), whole[path], path)


@pytest.mark.parametrize(
    ("index", "message"),
    [
        ([slice(None)] * 3, "3 slices for a tensor of rank 2"),
        ([slice(None, None, -1)], "with positive steps"),
        ([slice(None, None, 0)], "with positive steps"),
        ([0], "use one slice for each axis"),
        ([None], "use one slice for each axis"),
        ([Ellipsis], "use one slice for each axis"),
    ],
)
def test_a_part_is_named_by_slices(zoo, index, message):
    with pytest.raises(OptionError, match=message):
        materialize_part(zoo, "input_ids", index)


def test_a_part_is_of_an_input_that_is_there(zoo):
    with pytest.raises(OptionError, match=r"no input has that path. Did you mean 'input_ids'\?"):
        materialize_part(zoo, "inputs_id", [])


# Sizes that nothing could hold.

HUGE = {
    "a line": ((2**33,), Uniform(), "float32"),
    "a square": ((2**20, 2**20), Uniform(), "float32"),
    "a long row": ((3, 2**40), Range(), "int64"),
    "positions": ((2**40,), Positions(start=5), "int64"),
    "a grid": ((2**40, 2), Grid(2**20), "int64"),
    "masks": ((2**40, 16), PaddingMask("left"), "bool"),
    "one-hot rows": ((2**40, 16), OneHot(), "int8"),
    "normals": ((2**20, 2**20), Normal(), "float64"),
    "constants": ((2**62,), Constant(1), "int8"),
    "texts": ((2**40,), Strings(), "string"),
    "labels": ((2**40, 4), Labels(9, ignored=0.5), "int64"),
    "ids": ((2**31, 2**31), TokenIds(100, reserved=(4, 5)), "int32"),
    "as many axes as there are": ((2,) * 32, Uniform(), "float64"),
}


@pytest.mark.parametrize("kind", HUGE)
def test_parts_of_tensors_that_nothing_could_hold_are_made_at_once(kind):
    shape, rule, dtype = HUGE[kind]
    spec = InputSpec({"x": TensorSpec("", shape, dtype, rule)})
    start = time.process_time()
    tail = materialize_part(spec, "x", [slice(size - 2, None) for size in shape[:4]] + [slice(1)] * (len(shape) - 4))
    middle = materialize_part(spec, "x", [slice(size // 3, size // 3 + 5, 2) for size in shape])
    assert time.process_time() - start < 5
    assert tail.shape[: min(4, len(shape))] == (2,) * min(4, len(shape))
    assert middle.size
    if isinstance(rule, Range):
        assert tail[0].tolist() == [2**40 - 2, 2**40 - 1]
    if isinstance(rule, Positions):
        assert tail.tolist() == [2**40 + 3, 2**40 + 4]
    if isinstance(rule, Grid):
        assert tail.tolist() == [[2**20 - 1, 2**20 - 2], [2**20 - 1, 2**20 - 1]]


@pytest.mark.parametrize("columns", [2**20, 2**31 + 7, PERIOD, 2 * PERIOD, 3])
def test_an_element_is_found_by_its_row_major_index(columns):
    """Whatever the shape, element i is element i of a line; after a period it is that of the first."""
    square = InputSpec({"x": TensorSpec("", (2**20, columns), "float64", Uniform())})
    line = InputSpec({"x": TensorSpec("", (PERIOD,), "float64", Uniform())}).feeds()["x"]
    for row, column in ((0, 0), (1, 2), (2**19 + 1, columns - 1), (2**20 - 1, columns // 2)):
        part = materialize_part(square, "x", [slice(row, row + 1), slice(column, column + 1)])
        assert part[0, 0] == line[(row * columns + column) % PERIOD]


def test_a_part_of_what_follows_a_mask_needs_only_those_rows():
    rows = 2**40
    inputs = {
        "mask": TensorSpec("", (rows, 12), "int64", PaddingMask("left")),
        "ids": TensorSpec("", (rows, 8), "int64", TokenIds(50, low=10, mask="mask", pad=1, last=2)),
        "positions": TensorSpec("", (rows, 8), "int64", Positions(mask="mask")),
    }
    spec = InputSpec(inputs)
    piece = [slice(rows - 50, rows - 20, 3)]
    mask, ids, positions = (materialize_part(spec, path, piece) for path in inputs)
    assert ((ids == 1) == (mask[:, 4:] == 0)).all()
    assert (ids[:, -1] == 2).all()
    assert (positions[:, -1] == mask.sum(-1) - 1).all()


# One way and the other.


def test_small_tensors_are_made_as_large_ones_are(zoo, monkeypatch):
    small = [zoo.feeds(seed=5, sample=sample, sequence_length=11) for sample in range(3)]
    monkeypatch.setattr(plans, "_SMALL", -1)
    for rows in (fill._ROWS, 1, 20):
        monkeypatch.setattr(fill, "_ROWS", rows)
        large = fresh(zoo)
        for sample in range(3):
            assert_same(large.feeds(seed=5, sample=sample, sequence_length=11), small[sample])


@pytest.mark.parametrize("threshold", [0, 5, 21, 22, 40, 64])
def test_large_and_small_tensors_are_made_side_by_side(zoo, threshold, monkeypatch):
    expected = zoo.feeds(seed=1)
    monkeypatch.setattr(plans, "_SMALL", threshold)
    assert_same(fresh(zoo).feeds(seed=1), expected)


AROUND = [
    (Uniform(), "float32"),
    (Uniform(0, 2**40), "int64"),
    (TokenIds(9, reserved=(3,)), "int32"),
    (Normal(), "float64"),
]
AROUND += [
    (Uniform(), "complex128"),
    (PaddingMask(), "bool"),
    (OneHot(), "int8"),
    (Strings(), "string"),
    (Constant(3), "int4"),
]


@pytest.mark.parametrize(("rule", "dtype"), AROUND, ids=str)
@pytest.mark.parametrize("size", [plans._SMALL - 1, plans._SMALL, plans._SMALL + 1, fill._BLOCK + 1])
def test_the_threshold_between_small_and_large_does_not_show(rule, dtype, size, make):
    shape = (size // 7, 7) if isinstance(rule, (PaddingMask, OneHot)) else (size,)
    spec = InputSpec({"x": TensorSpec("", shape, dtype, rule)})
    assert_equal(materialize_part(spec, "x", []), spec.feeds()["x"])


@pytest.mark.parametrize("past", [10_000, 20_000])
def test_a_small_input_can_follow_a_large_mask(past):
    """A decoder step: one token, under a mask that covers a long past."""
    inputs = {
        "input_ids": TensorSpec("", (3, 1), "int64", TokenIds(50, low=10, mask="attention_mask")),
        "attention_mask": TensorSpec("", (3, past + 1), "int64", PaddingMask()),
        "position_ids": TensorSpec("", (3, 1), "int64", Positions(mask="attention_mask")),
    }
    spec = InputSpec(inputs)
    made = spec.feeds()
    assert list(made) == list(inputs)
    kept = made["attention_mask"].sum(-1)
    assert made["position_ids"].ravel().tolist() == (kept - 1).tolist()
    assert ((made["input_ids"] == 0)[:, 0] == (made["attention_mask"][:, -1] == 0)).all()
    for path in inputs:
        assert_equal(materialize_part(spec, path, []), made[path])


def test_a_large_input_can_follow_a_small_mask(monkeypatch):
    rows = plans._SMALL // 4
    inputs = {
        "mask": TensorSpec("", (rows, 4), "int64", PaddingMask()),
        "labels": TensorSpec("", (rows, 4), "int64", Labels(9, ignored=0.1, mask="mask")),
    }
    expected = InputSpec(inputs).feeds()
    monkeypatch.setattr(plans, "_SMALL", rows * 4 - 1)
    assert_same(InputSpec(inputs).feeds(), expected)


# Samples, seeds, paths.


@pytest.mark.parametrize(
    "sizes", [{}, {"sequence_length": 3000}, {"batch_size": 1, "sequence_length": 0}, {"width": 0}]
)
@pytest.mark.parametrize("start", [0, 3])
def test_samples_are_what_generate_returns_for_each(zoo, sizes, start):
    made = list(zoo.samples(4, seed=2, start=start, **sizes))
    assert len(made) == 4
    for place, sample in enumerate(made):
        flat = flat_of(zoo, sample)
        assert_same(flat, fresh(zoo).feeds(seed=2, sample=start + place, **sizes))


def flat_of(spec, nested):
    flat = {}
    for path, _ in spec.leaves:
        value = nested
        for key in path.split("."):
            value = value[key] if isinstance(value, dict) else value[int(key)]
        flat[path] = value
    return flat


def test_samples_made_together_are_those_made_alone(zoo, monkeypatch):
    alone = [zoo.feeds(sample=sample) for sample in range(7)]
    monkeypatch.setattr(plans, "_CHUNK", 3 * sum(leaf.nbytes() for _, leaf in zoo.leaves))
    for place, sample in enumerate(fresh(zoo).samples(7)):
        assert_same(flat_of(zoo, sample), alone[place])


def test_samples_come_one_after_another_and_only_as_asked(zoo):
    assert list(zoo.samples(0)) == []
    start = time.process_time()
    many = zoo.samples(10**12)
    assert_same(flat_of(zoo, next(many)), zoo.feeds())
    assert time.process_time() - start < 5


@pytest.mark.parametrize("wrong", [-1, 1.5, "1", None])
def test_samples_are_counted(zoo, wrong):
    for call in (
        lambda: zoo.generate(sample=wrong),
        lambda: zoo.feeds(sample=wrong),
        lambda: zoo.samples(wrong),
        lambda: zoo.samples(1, start=wrong),
        lambda: materialize_part(zoo, "input_ids", [], sample=wrong),
    ):
        with pytest.raises(OptionError, match="give a whole number that is not negative"):
            call()


def test_a_seed_is_a_whole_number(zoo):
    assert_same(zoo.feeds(seed=np.int64(4)), zoo.feeds(seed=4))
    for seed in (1.5, "1", None):
        with pytest.raises(OptionError, match="both must be ints"):
            zoo.feeds(seed=seed)


def test_order_and_history_do_not_show(zoo):
    expected = {(seed, sample): zoo.feeds(seed=seed, sample=sample) for seed in range(3) for sample in range(3)}
    again = fresh(zoo)
    for which in sorted(expected, key=lambda which: hashlib.sha256(repr(which).encode()).digest()):
        again.feeds(seed=which[0], sample=which[1], sequence_length=which[1] + 1)
        assert_same(again.feeds(seed=which[0], sample=which[1]), expected[which])


def test_more_sizes_than_are_remembered_do_not_show(zoo):
    spec = fresh(zoo)
    expected = [spec.feeds(sequence_length=length)["input_ids"] for length in range(materialize._MAX_PLANS + 5)]
    assert len(spec._plans) <= materialize._MAX_PLANS
    for length, values in enumerate(expected):
        assert_equal(spec.feeds(sequence_length=length)["input_ids"], values)


FIXED = {"scale", "seven", "times", "full_mask", "cache_position", "cells", "choice", "flags"}
"""Inputs that hold the same in all samples, or so few different values that chance can repeat them."""


@pytest.mark.parametrize("other", [{"seed": 1}, {"seed": -1}, {"sample": 1}, {"seed": 1, "sample": 1}], ids=str)
def test_another_seed_or_sample_gives_other_values(zoo, other):
    one, two = zoo.feeds(batch_size=8), zoo.feeds(batch_size=8, **other)
    for path in one.keys() - FIXED:
        assert one[path].tolist() != two[path].tolist(), path


def test_another_path_gives_other_values(zoo):
    made = zoo.feeds()
    caches = [made[path].tobytes() for path in made if path.startswith("past_key_values.")]
    assert len(set(caches)) == 4
    one, two = (InputSpec({name: TensorSpec("", (9,))}).feeds()[name].tolist() for name in ("a", "b"))
    assert one != two


def test_a_seed_is_not_a_sample(make):
    table = {
        (seed, sample): make(Uniform(), "float64", (3,), seed=seed, sample=sample).tobytes()
        for seed in range(6)
        for sample in range(6)
    }
    assert len(set(table.values())) == len(table)


def test_other_inputs_do_not_change_the_values_of_one(zoo):
    whole = zoo.feeds()
    for path, leaf in zoo.leaves:
        if "." in path:
            continue
        needed = {name: zoo[name] for name in ("attention_mask", "left_mask") if name in repr(leaf)}
        if path == "cache_position":
            needed["past_key_values"] = zoo["past_key_values"]
        if path == "cells":
            needed["wide"] = zoo["wide"]
        assert_equal(InputSpec({**needed, path: leaf}).feeds()[path], whole[path], path)
    backwards = InputSpec(dict(list(zoo.items())[::-1]))
    assert_same(dict(sorted(backwards.feeds().items())), dict(sorted(whole.items())))


def test_other_sizes_of_other_axes_do_not_change_a_row(zoo):
    few, many = zoo.feeds(batch_size=2), zoo.feeds(batch_size=9)
    for path, leaf in zoo.leaves:
        if leaf.shape and getattr(leaf.shape[0], "name", "") == "batch_size":
            assert_equal(many[path][:2], few[path], path)


def test_values_are_the_same_in_every_process(zoo):
    code = (
        "import sys, hashlib; from dummyio.input_spec import InputSpec\n"
        "spec = InputSpec.from_json(sys.stdin.buffer.read())\n"
        "for path, values in spec.feeds(seed=9, sample=2).items():\n"
        "    print(path, hashlib.sha256(repr(values.tolist()).encode()).hexdigest())"
    )
    expected = [
        f"{path} {hashlib.sha256(repr(values.tolist()).encode()).hexdigest()}"
        for path, values in zoo.feeds(seed=9, sample=2).items()
    ]
    for seed in ("0", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=zoo.to_json(),
            capture_output=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert done.stdout.decode().splitlines() == expected


def test_threads_that_share_a_spec_get_the_same_values(zoo):
    spec, wrong = fresh(zoo), []
    expected = [zoo.feeds(sample=sample, sequence_length=40 * (sample % 3)) for sample in range(12)]

    def work(samples):
        for sample in samples:
            made = spec.feeds(sample=sample, sequence_length=40 * (sample % 3))
            wrong.extend(path for path in made if made[path].tolist() != expected[sample][path].tolist())

    threads = [threading.Thread(target=work, args=(order,)) for order in (range(12), range(11, -1, -1), [3, 9] * 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


# The arrays.


@pytest.mark.parametrize("sizes", [{}, {"sequence_length": 6000}, {"batch_size": 1, "sequence_length": 0, "width": 1}])
def test_arrays_are_the_callers_own(zoo, sizes):
    first = zoo.feeds(**sizes)
    kept = {path: values.copy() for path, values in first.items()}
    second, *others = zoo.samples(3, **sizes)
    for path, leaf in zoo.leaves:
        values = first[path]
        assert isinstance(values, np.ndarray), path
        assert values.dtype == leaf.dtype.numpy, path
        assert values.flags.writeable, path
        assert values.flags.c_contiguous, path
        values[...] = "" if leaf.dtype is DType.STRING else 0
        if leaf.dtype is DType.STRING:
            continue
        flat_of(zoo, second)[path][...] = 1
    for sample, made in enumerate(others, start=1):
        assert_same(flat_of(zoo, made), zoo.feeds(sample=sample, **sizes))
    assert_same(zoo.feeds(**sizes), kept)


def test_shapes_and_order_are_those_of_the_spec(zoo):
    made = zoo.feeds(batch_size=2, width=8)
    assert list(made) == [path for path, _ in zoo.leaves]
    sizes = zoo.sizes(batch_size=2, width=8)
    assert {path: values.shape for path, values in made.items()} == {
        path: leaf.sizes(sizes) for path, leaf in zoo.leaves
    }
    assert sum(values.nbytes for values in made.values()) == zoo.nbytes(batch_size=2, width=8)


def test_generate_nests_as_the_model_takes_it(zoo):
    made = zoo.generate()
    assert list(made) == list(zoo)
    layers = made["past_key_values"]
    assert [len(layer) for layer in layers] == [2, 2]
    assert_equal(layers[1][0], zoo.feeds()["past_key_values.1.0"])
    nested = InputSpec(
        {"d": {"b": TensorSpec("", (1,)), "a": [TensorSpec("", (2,)), (TensorSpec("", (3,)),)]}}
    ).generate()
    assert list(nested["d"]) == ["b", "a"]
    assert isinstance(nested["d"]["a"], list)
    assert isinstance(nested["d"]["a"][1], tuple)


def test_a_spec_of_nothing_makes_nothing():
    nothing = InputSpec({})
    assert nothing.generate() == nothing.feeds() == {}
    assert list(nothing.samples(2)) == [{}, {}]
    assert InputSpec({"d": {}, "l": []}).generate() == {"d": {}, "l": []}


# Sizes that are asked for.


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("wrong", [True, 2.0, "2", None, [2], 0, -1, 2**63])
def test_a_wrong_size_is_refused_whatever_was_asked_before(zoo, before, wrong):
    spec = fresh(zoo)
    if before:
        spec.feeds(batch_size=1)
        spec.feeds(batch_size=2)
    with pytest.raises(DimError, match="batch_size="):
        spec.feeds(batch_size=wrong)


def test_sizes_of_numpy_are_sizes(zoo):
    assert_same(zoo.feeds(batch_size=np.int64(2)), zoo.feeds(batch_size=2))


def test_a_size_that_names_nothing_is_refused(zoo):
    for call in (
        zoo.feeds,
        zoo.generate,
        lambda **dims: zoo.samples(1, **dims),
        lambda **dims: zoo.abstract("np", **dims),
    ):
        with pytest.raises(
            OptionError, match=r"batchsize=3: no dim of this spec has that name. Did you mean 'batch_size'\?"
        ):
            call(batchsize=3)


def test_dims_may_have_the_names_of_our_own_parameters():
    spec = InputSpec({"x": TensorSpec("", (Dim("n", 2), Dim("self", 3)))})
    sizes = {"n": 4, "self": 5}
    assert spec.feeds(**sizes)["x"].shape == (4, 5)
    assert spec.generate(**sizes)["x"].shape == (4, 5)
    assert next(spec.samples(1, **sizes))["x"].shape == (4, 5)
    assert spec.abstract("np", **sizes)["x"].shape == (4, 5)
    assert spec.with_dims(**sizes).feeds()["x"].shape == (4, 5)


def test_sizes_that_do_not_fit_each_other_are_refused():
    long, short = Dim("long", 8), Dim("short", 4)
    inputs = {
        "mask": TensorSpec("", (1, long), "int64", PaddingMask()),
        "ids": TensorSpec("", (1, short), "int64", TokenIds(9, mask="mask")),
        "rest": TensorSpec("", (long - short,), "float32"),
        "ratio": TensorSpec("", (8 // (short - 3),), "float32"),
    }
    spec = InputSpec(inputs)
    assert spec.shapes() == {"mask": (1, 8), "ids": (1, 4), "rest": (4,), "ratio": (8,)}
    with pytest.raises(DimError, match="input 'rest', axis 0: long - short is -1 at these sizes"):
        spec.feeds(short=9)
    with pytest.raises(DimError, match="the divisor is 0"):
        spec.feeds(short=3)
    spec = InputSpec({name: inputs[name] for name in ("mask", "ids")})
    with pytest.raises(
        SpecError, match="input 'ids' is 9 long, its mask 'mask' only 8: a mask must be at least as long"
    ):
        spec.feeds(short=9)
    with pytest.raises(SpecError, match="a mask must be at least as long"):
        materialize_part(spec, "ids", [], short=9)
