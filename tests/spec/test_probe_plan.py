"""The probe plan: sizes that tell symbols apart, reach their bounds, and can be made."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, TokenIds

BATCH, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 16, max=512)
PAST = Dim("past_sequence_length", 0, min=0, max=64)


def of(*shape, **others):
    return InputSpec({"x": TensorSpec("", shape), **others})


@st.composite
def dims(draw, name):
    step = draw(st.sampled_from([1, 1, 1, 2, 8]))
    low, high = sorted(draw(st.tuples(st.integers(0, 9), st.integers(0, 40))))
    choices = draw(st.none() | st.lists(st.integers(1, 20), min_size=1, max_size=4).map(tuple))
    if choices is not None:
        return Dim(name, choices[0], choices=choices)
    return Dim(name, low * step, min=low * step, max=draw(st.none() | st.just(high * step + 2)), multiple_of=step)


@given(st.tuples(dims("a"), dims("b"), dims("c")), st.lists(st.integers(1, 9), max_size=2))
def test_every_probe_can_be_made_and_is_another(symbols, constants):
    spec = of(*symbols, *constants)
    plan = spec.probes()
    assert plan
    for sizes in plan:
        assert spec.sizes(**sizes) == sizes, "a size for every symbol, inside its bounds"
        assert spec.feeds(**sizes)["x"].shape == spec.shapes(sizes)["x"]
    assert all(one != other for place, one in enumerate(plan) for other in plan[:place])


def test_the_first_two_probes_tell_symbols_and_constants_apart():
    spec = of(BATCH, LENGTH, PAST + LENGTH, 3, 16, Dim.static("heads", 4))
    first, second = spec.probes()[:2]
    for sizes in (first, second):
        free = [sizes[name] for name in ("batch_size", "sequence_length", "past_sequence_length")]
        assert len(set(free)) == 3
        assert not set(free) & {3, 16, 4}
        assert min(free) >= 3
        assert sizes["heads"] == 4
    assert all(first[name] != second[name] for name in first if name != "heads")


def test_each_symbol_reaches_its_bounds_and_one():
    plan = of(BATCH, LENGTH, PAST).probes()
    assert {sizes["batch_size"] for sizes in plan} >= {1}
    assert {sizes["sequence_length"] for sizes in plan} >= {1, 512}
    assert {sizes["past_sequence_length"] for sizes in plan} >= {0, 1, 64}
    first = plan[0]
    assert all(sum(sizes[name] != first[name] for name in sizes) <= 1 for sizes in plan[2:])


def test_choices_and_multiples_are_kept():
    plan = of(Dim("a", 32, min=32, max=128, multiple_of=32), Dim("b", 7, choices=(7, 9, 11))).probes()
    assert {sizes["b"] for sizes in plan} == {7, 9, 11}
    assert {sizes["a"] for sizes in plan} >= {32, 128}
    assert all(sizes["a"] % 32 == 0 for sizes in plan)


def test_what_is_fixed_stays():
    assert of(3, 4).probes() == [{}]
    assert InputSpec({}).probes() == [{}]
    assert of(Dim("a", 5, max=5, min=5)).probes() == [{"a": 5}]


def test_the_largest_size_is_left_out_where_it_is_not_cheap():
    plan = of(Dim("a", 8, max=1 << 40), Dim("b", 8, max=100)).probes()
    assert max(sizes["a"] for sizes in plan) < 100
    assert {sizes["b"] for sizes in plan} >= {1, 100}


def test_sizes_that_do_not_fit_each_other_are_left_out():
    """A mask must cover what follows it, whatever symbols the two have."""
    total = Dim("total_length", 20)
    ids = TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(9, mask="mask"))
    spec = InputSpec({"ids": ids, "mask": TensorSpec("", (BATCH, total), "int64", PaddingMask())})
    plan = spec.probes()
    assert len(plan) >= 3
    for sizes in plan:
        assert sizes["total_length"] >= sizes["sequence_length"]
        spec.feeds(**sizes)
    rest = of(LENGTH - 10, 8 // (Dim("batch_size", 4) - 3))
    assert len(rest.probes()) > 2
    assert all(sizes["sequence_length"] >= 10 and sizes["batch_size"] > 3 for sizes in rest.probes())


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_sizes_stay_near_their_defaults(size):
    first = of(Dim("a", size), Dim("b", size)).probes()[0]
    assert all(max(3, size) <= value <= size + 4 for value in first.values())


def test_the_zoo_can_be_made_at_every_probe(zoo):
    plan = zoo.probes()
    assert len(plan) >= 8
    for sizes in plan:
        assert zoo.feeds(**sizes)
