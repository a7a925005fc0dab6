"""What each rule puts into a tensor: bounds, shares, and a plain reference for everything that has a structure."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from dummyio.errors import SpecError
from dummyio.input_spec import InputSpec
from dummyio.materialize.elementwise_rules import draw_integers, make_sampler
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import (
    Boxes,
    Choices,
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

FLOATS = [dtype for dtype in DType if dtype.kind == "float"]
INTEGERS = [dtype for dtype in DType if dtype.kind in ("int", "uint", "bool")]
COMPLEX = [DType.COMPLEX64, DType.COMPLEX128]
COUNTERS = [
    dtype for dtype in DType if dtype.kind in ("int", "uint", "float") and dtype not in ("int1", "float8_e8m0fnu")
]
EDGE_WORDS = [0, 1, 255, 256, 2**31 - 1, 2**31, 2**32 - 256, 2**32 - 2, 2**32 - 1]


def from_words(rule, dtype, words=EDGE_WORDS):
    """What a rule makes of every combination of these words: the extremes that chance never draws."""
    made = make_sampler(rule, dtype)
    drawn = [np.array(column, np.uint32) for column in zip(*itertools.product(words, repeat=made.words), strict=True)]
    return made.values([draw_integers(word, made.draw) for word in drawn] if made.draw else drawn)


def numbers(values):
    """The values as Python's numbers, which compare exactly."""
    return [value.item() if hasattr(value, "item") else value for value in values.astype(object).ravel()]


def exact(values):
    """Integers of any width as Python's ints."""
    return [int(value) for value in values.ravel()]


# Uniform floats.


def float_ranges(dtype):
    limits = dtype.part.limits
    inside = st.floats(limits.min, limits.max, allow_nan=False)
    near = st.tuples(inside, st.integers(0, 60)).map(
        lambda pair: (pair[0], pair[0] + math.ldexp(abs(pair[0]), -pair[1]))
    )
    return (st.tuples(inside, inside).map(sorted) | near | st.tuples(st.just(0.0), inside)).filter(
        lambda r: r[0] < r[1]
    )


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX], ids=str)
@given(data=st.data())
def test_uniform_floats_stay_in_their_range(dtype, data):
    low, high = data.draw(float_ranges(dtype))
    try:
        TensorSpec("x", (1,), dtype, Uniform(low, high))
    except SpecError:  # no value of that dtype in between, or outside of what it holds
        assume(False)
    values = from_words(Uniform(low, high), dtype)
    parts = np.concatenate([values.real, values.imag]) if dtype.kind == "complex" else values
    parts = parts.astype(np.float64)
    assert np.isfinite(parts).all()
    assert low <= parts.min()
    assert parts.max() < high
    assert parts.min() == dtype.part.ceil(low), "low itself is drawn"


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
@pytest.mark.parametrize("wanted", [-2.0, -0.5, 0.0, 0.5, 1.0, 4.0])
def test_ranges_that_hold_one_value(dtype, wanted, make):
    value = dtype.ceil(wanted)
    rule = Uniform(value, dtype.ceil(np.nextafter(value, np.inf)))
    assert set(numbers(from_words(rule, dtype).astype(np.float64))) == {value}
    assert set(numbers(make(rule, dtype, (100,)).astype(np.float64))) == {value}


@pytest.mark.parametrize("dtype", FLOATS, ids=str)
def test_the_widest_range_of_floats(dtype, make):
    low, high = max(dtype.limits.min, 0) if dtype == "float8_e8m0fnu" else dtype.limits.min, dtype.limits.max
    values = make(Uniform(low, high), dtype, (20_000,)).astype(np.float64)
    assert np.isfinite(values).all()
    assert low <= values.min()
    assert values.max() < high
    if dtype.bits >= 16:
        assert values.min() < low * 0.99
        assert values.max() > high * 0.99
        assert abs((values / high).mean()) < 0.03


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_range_from_the_smallest_to_the_largest_value_reaches_both(dtype):
    dtype = DType.of(dtype)
    for low in (dtype.floor(0.0), dtype.ceil(math.ulp(0)), -dtype.limits.max, dtype.floor(-1.0)):
        values = from_words(Uniform(low, dtype.limits.max), dtype)
        assert values.min() == low
        assert values.max() > dtype.limits.max * 0.999


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16", "float8_e5m2", "float8_e4m3fn"])
def test_denormal_ranges(dtype, make):
    dtype = DType.of(dtype)
    step = dtype.ceil(math.ulp(0))  # the smallest value above 0
    values = make(Uniform(-3 * step, 5 * step), dtype, (2000,)).astype(np.float64) / step
    assert set(values.tolist()) <= set(range(-3, 5))
    assert values.min() == -3
    assert values.max() == 4


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
def test_uniform_floats_are_uniform(dtype, make):
    values = make(Uniform(-1, 3), dtype, (100_000,)).astype(np.float64)
    counts = np.histogram(values, bins=16, range=(-1, 3))[0]
    tolerance = 0.05 if dtype != "bfloat16" else 0.2  # bfloat16 has few values in a bin, and rounds some across
    assert np.abs(counts / 6250 - 1).max() < tolerance
    assert abs(values.mean() - 1) < 0.02
    assert abs(values.std() - 4 / math.sqrt(12)) < 0.02


@pytest.mark.parametrize(("low", "high"), [(0, 1), (-1, 1), (-1000, 3), (100, 100.5), (0.1, 0.7), (-1e30, 1e30)])
def test_floats_of_all_widths_hold_about_the_same_numbers(low, high, make):
    wide = make(Uniform(low, high), "float64", (4096,))
    single = make(Uniform(low, high), "float32", (4096,))
    assert np.abs(wide - single).max() <= (high - low) * 2.0**-22 + np.spacing(np.float32(max(abs(low), abs(high))))
    for dtype in (DType.FLOAT16, DType.BFLOAT16):
        if high > dtype.limits.max:
            continue
        narrow = make(Uniform(low, high), dtype, (4096,)).astype(np.float64)
        rounded = single.astype(dtype.numpy).astype(np.float64)
        inside = (low <= rounded) & (rounded < high)
        assert (narrow[inside] == rounded[inside]).all()


def test_unit_floats_of_single_and_double_width_are_nearer_than_a_quarter_millionth(make):
    difference = make(Uniform(), "float64", (100_000,)) - make(Uniform(), "float32", (100_000,))
    assert np.abs(difference).max() < 2.0**-22
    assert (difference >= 0).all()


def test_doubles_have_more_than_single_width(make):
    values = make(Uniform(), "float64", (1000,))
    assert (values.astype(np.float32) != values).mean() > 0.99
    assert len(set((values * 2.0**53 % 2.0**20).tolist())) > 990


@pytest.mark.parametrize("rule", [Uniform(-1, 1), Normal()], ids=repr)
def test_complex_numbers_of_both_widths_are_about_equal(rule, make):
    narrow, wide = make(rule, "complex64", (10_000,)), make(rule, "complex128", (10_000,))
    assert np.abs(narrow - wide).max() < 1e-5
    assert abs(np.corrcoef(wide.real, wide.imag)[0, 1]) < 0.05


# Uniform whole numbers.


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
def test_the_widest_range_of_integers(dtype, make):
    low, high = int(dtype.limits.min), int(dtype.limits.max) + 1
    values = exact(from_words(Uniform(low, high), dtype))
    assert (min(values), max(values)) == (low, high - 1)
    drawn = exact(make(Uniform(low, high), dtype, (4000,)))
    if dtype.bits <= 8:
        assert set(drawn) == set(range(low, high))
    else:
        assert min(drawn) - low < (high - low) / 100
        assert high - max(drawn) < (high - low) / 100


@pytest.mark.parametrize("dtype", INTEGERS, ids=str)
@given(data=st.data())
def test_integers_stay_in_their_range_and_reach_both_ends(dtype, data):
    least, most = int(dtype.limits.min), int(dtype.limits.max)
    low, last = sorted(data.draw(st.tuples(st.integers(least, most), st.integers(least, most))))
    values = exact(from_words(Uniform(low, last + 1), dtype))
    assert (min(values), max(values)) == (low, last)


@pytest.mark.parametrize(
    ("dtype", "low", "high"),
    [
        ("int64", -(2**63), 2**63),
        ("int64", -5, 2**40),
        ("int64", 2**62, 2**62 + 10),
        ("int64", -(2**63), -(2**63) + 3),
        ("int64", 0, 2**32),
        ("int64", -1, 2**32),
        ("uint64", 0, 2**64),
        ("uint64", 2**63 - 1, 2**63 + 1),
        ("uint64", 2**63 + 5, 2**63 + 50),
        ("uint64", 2**64 - 3, 2**64),
        ("uint64", 2**63 - 5, 2**63 + 2**33),
        ("uint32", 0, 2**32),
        ("int32", -(2**31), 2**31),
    ],
)
def test_a_draw_is_the_share_of_its_word(dtype, low, high):
    rule, span = Uniform(low, high), high - low
    words = itertools.product(EDGE_WORDS, repeat=2) if span > 2**32 else ((word, 0) for word in EDGE_WORDS)
    expected = [low + ((first * 2**32 + second) * span >> 64) for first, second in words]
    assert exact(from_words(rule, DType.of(dtype))) == expected


@given(st.integers(2**32 + 1, 2**64), st.lists(st.integers(0, 2**32 - 1), min_size=2, max_size=5))
def test_wide_draws_are_exact(span, words):
    expected = [(first * 2**32 + second) * span >> 64 for first, second in itertools.product(words, repeat=2)]
    assert exact(from_words(Uniform(0, span), DType.UINT64, words)) == expected


@pytest.mark.parametrize("dtype", [dtype for dtype in INTEGERS if dtype.bits > 1], ids=str)
@pytest.mark.parametrize("share", [1, 3])
def test_integers_are_uniform(dtype, share, make):
    low, high = int(dtype.limits.min), int(dtype.limits.max) + 1
    high = low + max(2, (high - low) // share)
    bins = min(16, high - low)
    while (high - low) % bins:
        bins -= 1
    count = 40_000
    places = [(value - low) * bins // (high - low) for value in exact(make(Uniform(low, high), dtype, (count,)))]
    expected = count / bins
    chi = sum((places.count(place) - expected) ** 2 / expected for place in range(bins))
    assert chi < bins + 8 * math.sqrt(2 * bins), "a value by chance in fewer than one of a million cases"


@pytest.mark.parametrize(
    "rule", [Uniform(-7, 100), TokenIds(120, low=-3, reserved=(0, 5)), Labels(99, ignored=0.3), Uniform(5, 6)], ids=repr
)
def test_integers_of_all_widths_hold_the_same_numbers(rule, make):
    wide = make(rule, "int64", (1000,))
    for dtype in ("int32", "int16", "int8"):
        assert make(rule, dtype, (1000,)).tolist() == wide.tolist()


def test_signed_and_unsigned_hold_the_same_numbers(make):
    wide = make(Uniform(0, 100), "int64", (1000,)).tolist()
    for dtype in ("uint64", "uint32", "uint16", "uint8"):
        assert make(Uniform(0, 100), dtype, (1000,)).tolist() == wide
    assert make(Uniform(0, 2**40), "uint64", (99,)).tolist() == make(Uniform(0, 2**40), "int64", (99,)).tolist()
    bits = make(Uniform(0, 2), "int64", (1000,)).tolist()
    for dtype in ("uint1", "int2", "uint2", "int4", "bool"):
        assert make(Uniform(0, 2), dtype, (1000,)).astype(int).tolist() == bits


# Normal.


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "complex64", "complex128"])
@pytest.mark.parametrize(("mean", "std"), [(0, 1), (-5, 0.5), (3, 20)])
def test_normals_have_their_mean_deviation_and_tails(dtype, mean, std, make):
    values = make(Normal(mean, std), dtype, (200_000,))
    for part in (values.real, values.imag) if DType.of(dtype).kind == "complex" else (values,):
        scores = (part.astype(np.float64) - mean) / std
        assert abs(scores.mean()) < 0.02
        assert abs(scores.std() - 1) < 0.02
        assert abs((scores**3).mean()) < 0.05
        assert abs((scores**4).mean() - 3) < 0.15
        assert 3.5 < np.abs(scores).max() < 4.3
        for limit, share in ((1, 0.6827), (2, 0.9545), (3, 0.9973)):
            assert abs((np.abs(scores) < limit).mean() - share) < (0.02 if dtype == "bfloat16" else 0.01)


@pytest.mark.parametrize("dtype", [*FLOATS, *COMPLEX], ids=str)
@pytest.mark.parametrize("share", [1e-3, 1])
def test_normals_are_finite_in_every_dtype(dtype, share, make):
    largest = dtype.limits.max
    rules = [Normal(0, largest * share), Normal(largest, largest * share), Normal(largest * share, largest)]
    for rule in rules:
        assert np.isfinite(from_words(rule, dtype).astype(np.complex128)).all()
        assert np.isfinite(make(rule, dtype, (1000,)).astype(np.complex128)).all()


def test_normals_of_both_widths_are_about_equal(make):
    assert np.abs(make(Normal(), "float64", (50_000,)) - make(Normal(), "float32", (50_000,))).max() < 1e-5


def test_a_normal_grows_with_its_word():
    words = np.arange(0, 2**32, 99_991, np.uint32)
    for dtype in (DType.FLOAT32, DType.FLOAT64):
        made = make_sampler(Normal(), dtype)
        values = made.values([words] * made.words)
        assert (np.diff(values) >= 0).all()
        assert values[0] < -4
        assert values[-1] > 4


# Masks.

shapes = st.lists(st.integers(0, 5), min_size=1, max_size=4).map(tuple)


def rows_of(values):
    return values.reshape(-1, values.shape[-1]) if values.size else []


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("policy", ["ragged", "full", "shortest"])
@given(shape=shapes, least=st.integers(1, 4), seed=st.integers(0, 99))
def test_a_mask_pads_one_side_of_each_row(side, policy, shape, least, seed, make):
    mask = make(PaddingMask(side, policy, least), "int64", shape, seed=seed)
    assert mask.shape == shape
    for place, row in enumerate(rows_of(mask)):
        size, length = len(row), int(row.sum())
        kept = [1] * length + [0] * (size - length)
        assert row.tolist() == (kept if side == "right" else kept[::-1])
        assert min(least, size) <= length <= size
        if place == 0 or policy == "full":
            assert length == size
        elif policy == "shortest":
            assert length == min(least, size)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["bool", "int64", "float32"])
def test_a_mask_of_what_is_hidden_is_the_other_way_round(side, dtype, make):
    kept, hidden = (make(PaddingMask(side, pad=pad), dtype, (3, 7, 9), seed=5).astype(int) for pad in (0, 1))
    assert (kept + hidden == 1).all()
    assert hidden.any()


def test_what_follows_a_mask_of_what_is_hidden_is_padded_there():
    inputs = {
        "mask": TensorSpec("", (6, 12), "bool", PaddingMask(pad=1)),
        "ids": TensorSpec("", (6, 9), "int64", TokenIds(99, low=50, mask="mask", pad=7, last=3)),
        "positions": TensorSpec("", (6, 12), "int64", Positions("mask")),
    }
    spec = InputSpec(inputs)
    made = spec.feeds()
    hidden = made["mask"][:, -9:]
    assert hidden.any()
    assert ((made["ids"] == 7) == hidden).all()
    assert ((made["ids"] == 3).sum(axis=-1) == (~hidden).any(axis=-1)).all()
    assert (made["positions"] == np.maximum(np.cumsum(~made["mask"], axis=-1) - 1, 0)).all()
    for path in inputs:  # and each alone, a part at a time
        assert (materialize_part(spec, path, [slice(2, 4)]) == made[path][2:4]).all()
    assert InputSpec.from_json(spec.to_json()) == spec


@pytest.mark.parametrize("least", [1, 3])
def test_a_ragged_mask_has_rows_of_every_length(least, make):
    mask = make(PaddingMask(least=least), "bool", (2000, 8))
    lengths = np.bincount(mask.sum(-1), minlength=9)
    assert lengths[:least].sum() == 0
    assert (np.abs(lengths[least:] / (2000 / (9 - least)) - 1) < 0.3).all()


@pytest.mark.parametrize("dtype", [dtype for dtype in DType if dtype.kind in ("int", "uint", "bool", "float")], ids=str)
def test_a_mask_is_the_same_in_every_dtype(dtype, make):
    if dtype in ("int1", "float8_e8m0fnu"):  # cannot hold 1, cannot hold 0
        return
    mask = make(PaddingMask("left"), dtype, (5, 9))
    assert mask.dtype == dtype.numpy
    assert (mask.astype(np.int64) == make(PaddingMask("left"), "int64", (5, 9))).all()


@pytest.mark.parametrize("dtype", [DType.BOOL, *COUNTERS], ids=str)
def test_a_mask_of_any_dtype_can_be_followed(dtype):
    inputs = {
        "mask": TensorSpec("", (4, 9), dtype, PaddingMask()),
        "ids": TensorSpec("", (4, 9), "uint8", TokenIds(99, low=50, mask="mask", pad=7)),
    }
    made = InputSpec(inputs).feeds()
    assert ((made["ids"] == 7) == (made["mask"].astype(int) == 0)).all()


# Token ids.


@st.composite
def vocabularies(draw):
    low = draw(st.integers(-20, 20))
    high = low + draw(st.integers(1, 40))
    inside = list(range(low, high))
    kind = draw(st.sampled_from(["some", "prefix", "suffix", "all but one", "none"]))
    if kind == "prefix":
        reserved = inside[: draw(st.integers(0, len(inside) - 1))]
    elif kind == "suffix":
        reserved = inside[draw(st.integers(1, len(inside))) :]
    elif kind == "all but one":
        reserved = sorted(set(inside) - {draw(st.sampled_from(inside))})
    elif kind == "none":
        reserved = []
    else:
        reserved = draw(st.lists(st.integers(low - 5, high + 5), max_size=50))
        assume(set(inside) - set(reserved))
    return TokenIds(high, low=low, reserved=tuple(reserved))


@pytest.mark.parametrize("dtype", ["int64", "int32", "int8"])
@given(rule=vocabularies())
def test_reserved_ids_are_never_drawn_and_all_others_can_be(dtype, rule, make):
    allowed = [i for i in range(rule.low, rule.high) if i not in rule.reserved]
    made = make_sampler(rule, DType.of(dtype))
    start = made.draw.low
    assert made.draw.span == rule.allowed == len(allowed)
    assert exact(made.values([np.arange(start, start + len(allowed))])) == allowed
    drawn = exact(make(rule, dtype, (len(allowed) * 20,)))
    assert set(drawn) <= set(allowed)
    if len(allowed) < 5:
        assert set(drawn) == set(allowed)


def test_a_vocabulary_with_a_hundred_thousand_reserved_ids_is_made_at_once(make):
    rule = TokenIds(250_000, reserved=tuple(range(249_999)))
    assert set(exact(make(rule, "int64", (1000,)))) == {249_999}


def test_a_large_vocabulary_is_drawn_evenly_around_its_gaps(make):
    rule = TokenIds(30_522, reserved=(0, *range(100, 104), 15_000))
    values = make(rule, "int64", (200_000,))
    assert not np.isin(values, rule.reserved).any()
    counts = np.histogram(values, bins=10, range=(0, 30_522))[0]
    assert np.abs(counts / 20_000 - 1).max() < 0.05


def masked(rule, mask, shape, past=0, dtype="int64", **which):
    """The ids under a mask that covers so many columns more, the same ids without it, and the mask."""
    plain = type(rule)(
        **{**{f: getattr(rule, f) for f in rule.__struct_fields__}, "mask": None, "first": None, "last": None}
    )
    inputs = {
        "ids": TensorSpec("", shape, dtype, rule),
        "mask": TensorSpec("", (*shape[:-1], shape[-1] + past), "int64", mask),
    }
    made = InputSpec(inputs).feeds(**which)
    return made["ids"], InputSpec({"ids": TensorSpec("", shape, dtype, plain)}).feeds(**which)["ids"], made["mask"]


@pytest.mark.parametrize("side", ["left", "right"])
@given(
    shape=shapes,
    past=st.integers(0, 3),
    first=st.none() | st.just(11),
    last=st.none() | st.just(12),
    seed=st.integers(0, 50),
)
def test_ids_follow_their_mask(side, shape, past, first, last, seed):
    rule = TokenIds(10, low=5, mask="mask", pad=3, first=first, last=last)
    ids, plain, mask = masked(rule, PaddingMask(side), shape, past, seed=seed)
    for row, drawn, keeps in zip(rows_of(ids), rows_of(plain), rows_of(mask), strict=False):
        expected, kept = drawn.tolist(), keeps[past:].tolist()
        if last is not None and 1 in kept:
            expected[len(kept) - 1 - kept[::-1].index(1)] = last
        if first is not None:
            expected[0] = first
        expected = [token if keep else 3 for token, keep in zip(expected, kept, strict=True)]
        assert row.tolist() == expected


def test_ids_without_a_mask_have_their_first_and_last(make):
    ids = make(TokenIds(10, first=11, last=12), "int32", (3, 2, 5))
    assert (ids[..., 0] == 11).all()
    assert (ids[..., -1] == 12).all()
    assert (ids[..., 1:-1] < 10).all()
    assert make(TokenIds(10, first=11, last=12), "int32", (2, 1)).tolist() == [[11], [11]]
    assert make(TokenIds(10, first=11, last=12), "int32", (2, 0)).shape == (2, 0)


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("shape", [(2, 0), (0, 3), (0, 0), (1, 1), (2, 1)])
def test_ids_and_masks_of_hardly_any_size(side, shape):
    rule = TokenIds(10, mask="mask", first=1, last=2, pad=3)
    ids, _, mask = masked(rule, PaddingMask(side), shape)
    assert ids.shape == mask.shape == shape
    if ids.size:
        assert set(ids.ravel().tolist()) == {1}


# Positions.


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "float32", "uint8"])
@given(shape=shapes, past=st.integers(0, 3), seed=st.integers(0, 50))
def test_positions_count_the_kept_tokens(side, dtype, shape, past, seed):
    inputs = {
        "mask": TensorSpec("", (*shape[:-1], shape[-1] + past), "int64", PaddingMask(side)),
        "positions": TensorSpec("", shape, dtype, Positions(mask="mask")),
    }
    made = InputSpec(inputs).feeds(seed=seed)
    assert made["positions"].dtype == DType.of(dtype).numpy
    assert made["positions"].shape == shape
    for row, kept in zip(rows_of(made["positions"]), rows_of(made["mask"]), strict=False):
        expected, seen = [], 0
        for keep in kept:
            seen += int(keep)
            expected.append(max(seen - 1, 0))
        assert row.tolist() == expected[past:]


@pytest.mark.parametrize("dtype", COUNTERS, ids=str)
def test_positions_and_ranges_are_made_in_every_dtype_that_counts(dtype, make):
    count = int(min(dtype.limits.max, 6)) + 1
    for rule in (Positions(), Range(), Grid(count)):
        shape = (2, count, 2) if isinstance(rule, Grid) else (2, count)
        values = make(rule, dtype, shape)
        assert values.dtype == dtype.numpy
        counted = values[..., 1] if isinstance(rule, Grid) else values
        assert np.array_equal(counted.astype(np.float64), [np.arange(count).astype(dtype.numpy).astype(np.float64)] * 2)


def test_positions_start_where_the_past_ends():
    past = Dim("past", 4, min=0)
    inputs = {
        "cache": TensorSpec("", (1, past), "float32"),
        "at": TensorSpec("", (3,), "int64", Positions(start="past * 2 + 1")),
    }
    spec = InputSpec(inputs)
    assert spec.feeds()["at"].tolist() == [9, 10, 11]
    assert spec.feeds(past=0)["at"].tolist() == [1, 2, 3]


# The other rules.


@given(start=st.integers(-50, 50), step=st.integers(-5, 5), shape=shapes)
def test_a_range_is_the_same_in_every_row(start, step, shape, make):
    values = make(Range(start, step), "int64", shape)
    assert values.shape == shape
    for row in rows_of(values):
        assert row.tolist() == [start + step * i for i in range(shape[-1])]


def test_ranges_of_floats_and_of_wide_integers(make):
    assert make(Range(-1, 0.25), "float16", (5,)).tolist() == [-1, -0.75, -0.5, -0.25, 0]
    assert exact(make(Range(2**64 - 3), "uint64", (3,))) == [2**64 - 3, 2**64 - 2, 2**64 - 1]
    assert exact(make(Range(2**63 - 1, -(2**62)), "int64", (4,))) == [2**63 - 1 - i * 2**62 for i in range(4)]
    assert make(Range(2**63), "float64", (2,)).tolist() == [2.0**63, 2.0**63]


@given(rows=st.integers(0, 12), columns=st.integers(1, 5), size=st.integers(0, 4))
def test_a_grid_numbers_its_cells_row_by_row(rows, columns, size, make):
    values = make(Grid(columns), "int32", (2, rows, size))
    expected = [[*[0] * size, cell // columns, cell % columns][-size or 9 :] for cell in range(rows)]
    assert values.tolist() == [expected] * 2


@pytest.mark.parametrize(
    ("dtype", "value"),
    [
        ("float32", 0.1),
        ("float64", 1e300),
        ("float16", -65504),
        ("bfloat16", 2**100),
        ("float8_e4m3fn", 448),
        ("float8_e8m0fnu", 2.0**-127),
        ("float4_e2m1fn", -6),
        ("int64", -(2**63)),
        ("uint64", 2**64 - 1),
        ("uint64", 2**53 + 1),
        ("int8", -128),
        ("int4", 7),
        ("int2", -2),
        ("int1", -1),
        ("uint1", 1),
        ("bool", True),
        ("bool", 0),
        ("complex64", 1.5),
        ("complex128", -2),
        ("string", "a text"),
        ("string", ""),
    ],
)
def test_a_constant_fills_every_element(dtype, value, make):
    numpy = DType.of(dtype).numpy
    for shape in ((), (3,), (2, 0), (2, 3)):
        values = make(Constant(value), dtype, shape)
        assert values.shape == shape
        assert values.dtype == numpy
        assert (values == np.array(value, np.float64 if numpy.kind in "Vfc" else numpy).astype(numpy)).all()
    chosen = make(Choices((value, value)), dtype, (5,))
    assert (chosen == make(Constant(value), dtype, (5,))).all()


def test_wide_whole_numbers_stay_exact_beside_floats(make):
    assert set(exact(make(Choices((2**60 + 1, 1.0)), "int64", (99,)))) == {2**60 + 1, 1}
    assert set(exact(make(Choices((2**64 - 1, 0)), "uint64", (99,)))) == {2**64 - 1, 0}
    assert set(make(Choices((2**70, -1)), "bfloat16", (99,)).astype(float).tolist()) == {2.0**70, -1}


@pytest.mark.parametrize("dtype", ["int64", "uint8", "float32", "bfloat16", "complex64", "bool", "string", "int4"])
def test_choices_are_all_alike_likely(dtype, make):
    options = {"bool": (False, True), "string": ("a", "b", "")}.get(dtype, (1, 2, 5))
    values = make(Choices(options), dtype, (30_000,)).astype(object).tolist()
    assert {complex(v) if not isinstance(v, str) else v for v in values} == {
        complex(o) if not isinstance(o, str) else o for o in options
    }
    for option in options:
        assert abs(values.count(option) / 30_000 - 1 / len(options)) < 0.02


@given(share=st.sampled_from([0.0, 0.1, 0.5, 1.0]), high=st.integers(1, 9), ignore=st.sampled_from([-100, -1, 3]))
def test_labels_are_classes_or_ignored(share, high, ignore, make):
    values = make(Labels(high, ignore_index=ignore, ignored=share), "int64", (5000,))
    assert set(values.tolist()) <= {*range(high), ignore}
    if not 0 <= ignore < high:
        assert abs((values == ignore).mean() - share) < 0.04
        plain = make(Labels(high), "int64", (5000,))
        assert (values[values != ignore] == plain[values != ignore]).all()


@given(shape=shapes, past=st.integers(0, 2), share=st.sampled_from([0.0, 0.4]))
def test_labels_are_ignored_where_the_mask_is_zero(shape, past, share):
    labels, plain, mask = masked_labels(Labels(9, ignored=share, mask="mask"), shape, past)
    assert (labels[mask == 0] == -100).all()
    assert (labels[mask != 0] == plain[mask != 0]).all()


def masked_labels(rule, shape, past):
    inputs = {
        "labels": TensorSpec("", shape, "int64", rule),
        "mask": TensorSpec("", (*shape[:-1], shape[-1] + past), "int64", PaddingMask()),
    }
    made = InputSpec(inputs).feeds()
    plain = InputSpec({"labels": TensorSpec("", shape, "int64", Labels(rule.high, ignored=rule.ignored))}).feeds()
    return made["labels"], plain["labels"], made["mask"][..., past:]


@pytest.mark.parametrize("dtype", [DType.BOOL, *COUNTERS], ids=str)
def test_a_one_hot_row_has_one_place(dtype, make):
    values = make(OneHot(), dtype, (40, 5)).astype(np.float64)
    assert set(values.ravel().tolist()) == {0, 1}
    assert (values.sum(-1) == 1).all()
    assert len(set(values.argmax(-1).tolist())) == 5
    assert make(OneHot(), dtype, (2, 1)).astype(int).tolist() == [[1], [1]]
    assert make(OneHot(), dtype, (2, 0)).shape == (2, 0)
    assert make(OneHot(), dtype, (4,)).astype(int).sum() == 1


LAYOUTS = ["xyxy", "xywh", "cxcywh"]
BOX_RANGES = [(0, 1), (0, 1000), (-1, 1), (0.1, 0.7), (1000, 1000.1), (0, 0.1), (16_777_217.5, 16_777_219.1)]


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("dtype", ["float64", "float32", "float16", "bfloat16", "float8_e4m3fn"])
@pytest.mark.parametrize(("low", "high"), BOX_RANGES)
def test_boxes_of_floats_lie_in_their_range(layout, dtype, low, high, make):
    try:
        boxes = make(Boxes(low, high, layout), dtype, (500, 4)).astype(np.float64)
    except SpecError:
        assert DType.of(dtype).bits <= 16
        return
    rounding = (
        0
        if layout == "xyxy"
        else 4 * float(np.spacing(np.array(max(abs(low), abs(high)), np.float64)))
        + 2 * max(abs(v - DType.of(dtype).floor(v)) for v in (low, high))
    )
    x, y, z, w = boxes.T
    if layout == "xywh":
        z, w = x + z, y + w
    if layout == "cxcywh":
        x, y, z, w = x - z / 2, y - w / 2, x + z / 2, y + w / 2
    assert (x <= z).all()
    assert (y <= w).all()
    assert low - rounding <= min(x.min(), y.min())
    assert max(z.max(), w.max()) < high + (rounding or 0)


@pytest.mark.parametrize("layout", ["xyxy", "xywh"])
@pytest.mark.parametrize("dtype", ["int64", "int32", "uint8", "int8", "uint64", "int4"])
def test_boxes_of_integers_lie_in_their_range(layout, dtype, make):
    for low, high in ((0, 7), (3, 4), (0, 2), *([(-5, 2)] if dtype.startswith("int") else [])):
        boxes = make(Boxes(low, high, layout), dtype, (3, 300, 4)).astype(np.int64)
        x, y, z, w = np.moveaxis(boxes, -1, 0)
        z, w = (x + z, y + w) if layout == "xywh" else (z, w)
        assert (x <= z).all()
        assert (y <= w).all()
        assert {int(x.min()), int(y.min())} == {low}
        assert {int(z.max()), int(w.max())} == {high - 1}


def test_boxes_hold_the_same_corners_in_every_layout(make):
    corners = make(Boxes(0, 1), "float64", (100, 4))
    sized = make(Boxes(0, 1, "xywh"), "float64", (100, 4))
    centred = make(Boxes(0, 1, "cxcywh"), "float64", (100, 4))
    assert np.allclose(sized[:, 2:] + sized[:, :2], corners[:, 2:])
    assert np.allclose(centred[:, :2] - centred[:, 2:] / 2, corners[:, :2])


def test_strings_are_words_joined_by_spaces(make):
    words = ("one", "two", "three")
    texts = make(Strings(words, 0, 4), "string", (50, 20))
    lengths = {len(text.split()) for text in texts.ravel()}
    assert lengths == {0, 1, 2, 3}
    assert {word for text in texts.ravel() for word in text.split()} == set(words)
    assert all(type(text) is str for text in texts.ravel())
    assert all(text == " ".join(text.split()) for text in texts.ravel())
    assert len({text for text in texts.ravel() if len(text.split()) == 3}) == 27
    assert make(Strings(), "string", ()).shape == ()
    assert make(Strings(), "string", (0,)).shape == (0,)


# Any size.


@pytest.mark.parametrize("shape", [(), (0,), (1,), (0, 3), (3, 0), (2, 0, 4), (1, 1, 1, 1), (0, 4), (1, 4)])
@pytest.mark.parametrize("dtype", DType, ids=str)
def test_every_rule_that_fits_is_made_in_every_shape_and_dtype(shape, dtype, make):
    rules = [Uniform(0, 1), Normal(), Constant(1), Range(), Positions(), Grid(2), PaddingMask(), TokenIds(2), Labels(1)]
    rules += [TokenIds(2, first=1, last=0), Choices((0, 1)), OneHot(), Boxes(0, 1), Strings(), Boxes(0, 1, "xywh")]
    made = 0
    for rule in rules:
        try:
            values = make(rule, dtype, shape)
        except SpecError:
            continue
        made += 1
        assert values.shape == shape
        assert values.dtype == dtype.numpy
        assert isinstance(values, np.ndarray)
    assert made >= 1
