"""Differences between two arrays: all kinds of numbers, NaN and Inf, and properties for any two arrays."""

import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from dummyio.validation.comparing.metrics import EDGES, compare_arrays, measure_scale
from dummyio.validation.data.records import Tolerance

TIGHT = Tolerance(of_scale=1e-6, relative=1e-6)
EXACT = Tolerance(of_scale=0.0, relative=0.0)


def compared(reference, actual, tolerance=TIGHT):
    return compare_arrays("logits", np.asarray(reference), np.asarray(actual), tolerance)


def test_differences_within_the_tolerance_pass_and_are_measured():
    made = compared([1.0, -2.0, 4.0], [1.0, -2.0, 4.0 + 2e-6])
    assert made.ok
    assert made.max_abs == pytest.approx(2e-6)
    assert made.worst.index == (2,)
    assert made.mean_abs == pytest.approx(2e-6 / 3)
    assert made.scale == 4.0


def test_differences_beyond_the_tolerance_have_a_place_and_a_count():
    made = compared([[1.0, 2.0], [3.0, 4.0]], [[1.0, 2.1], [3.0, 4.0]])
    assert not made.ok
    assert (made.worst.index, made.worst.reference, made.worst.actual) == ((0, 1), 2.0, 2.1)
    assert made.mismatched == 0.25
    assert "1 of 4" in made.reason


def test_the_rounding_of_large_elements_is_allowed_for_small_ones():
    assert compared([1e6, 1e-3], [1e6, 1e-3 + 1e-5], Tolerance(of_scale=1e-7, relative=0)).ok
    assert not compared([1.0, 1e-3], [1.0, 1e-3 + 1e-5], Tolerance(of_scale=1e-7, relative=0)).ok


def test_huge_elements_do_not_widen_the_tolerance_of_all_others():
    masked = np.r_[np.linspace(0.5, 1, 100), -3e38].astype(np.float32)
    off = masked.copy()
    off[3] += 1e-3
    assert measure_scale(masked) < 100
    assert not compared(masked, off).ok


def test_a_shape_is_compared_first():
    made = compared(np.zeros((2, 3)), np.zeros((3, 2)))
    assert not made.ok
    assert "[3, 2]" in made.reason
    assert "[2, 3]" in made.reason


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_on_both_sides_is_equal(value):
    made = compared([1.0, value, 2.0], [1.0, value, 2.0])
    assert made.ok
    assert (made.nonfinite, made.max_abs, made.cosine) == (0, 0.0, pytest.approx(1.0))


@pytest.mark.parametrize(
    ("ours", "theirs"), [(np.nan, 0.0), (0.0, np.nan), (np.inf, -np.inf), (np.nan, np.inf), (1.0, np.inf)]
)
def test_nan_on_one_side_only_is_a_difference(ours, theirs):
    made = compared([1.0, ours, 2.0], [1.0, theirs, 2.0], Tolerance(of_scale=1e3, relative=1e3))
    assert not made.ok
    assert (made.nonfinite, made.worst.index) == (1, (1,))
    assert "NaN or Inf" in made.reason


def test_all_elements_may_be_nan():
    assert compared([np.nan] * 3, [np.nan] * 3).ok
    assert not compared([np.nan] * 3, [0.0] * 3).ok


@pytest.mark.parametrize("dtype", ["int8", "int64", "uint8", "uint64", "bool"])
def test_integers_and_booleans_must_be_equal(dtype):
    values = np.array([0, 1, 1, 0], dtype)
    assert compared(values, values, Tolerance(of_scale=10, relative=10)).ok
    made = compared(values, 1 - values.astype("int64"), Tolerance(of_scale=10, relative=10))
    assert not made.ok
    assert made.mismatched == 1.0


def test_unsigned_numbers_do_not_wrap_around():
    largest = np.iinfo(np.uint64).max
    made = compared(np.array([0], np.uint64), np.array([largest], np.uint64))
    assert not made.ok
    assert float(made.worst.actual) == float(largest)


def test_large_integers_are_compared_without_rounding():
    assert not compared(np.array([2**60]), np.array([2**60 + 1])).ok


def test_text_must_be_equal():
    assert compared(np.array(["a", "b"], object), np.array(["a", "b"], object)).ok
    assert compared(np.array(["a", "b"], object), np.array(["a", "c"], object)).worst.actual == "c"


@pytest.mark.parametrize("shape", [(0,), (3, 0, 2)])
def test_empty_arrays_are_equal(shape):
    made = compared(np.zeros(shape), np.zeros(shape))
    assert made.ok
    assert made.worst is None


def test_a_scalar_has_a_worst_element():
    made = compared(np.float32(1), np.float32(2))
    assert not made.ok
    assert made.worst.index == ()


@pytest.mark.parametrize("dtype", [np.complex64, np.complex128])
def test_complex_numbers_are_compared_by_distance(dtype):
    values = np.array([1 + 1j, 2 - 3j], dtype)
    assert compared(values, values).ok
    made = compared(values, values + dtype(1j))
    assert not made.ok
    assert made.max_abs == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, np.float16])
def test_narrow_floats_are_compared_in_wide_ones(dtype):
    values = np.array([1.0, 1.5, 300.0], dtype)
    assert compared(values, values).ok
    made = compared(values, np.array([1.0, 2.0, 300.0], dtype))
    assert not made.ok
    assert made.max_abs == 0.5


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_the_largest_numbers_of_a_dtype(dtype):
    largest = np.finfo(dtype).max
    values = np.array([largest, -largest, 1.0], dtype)
    assert compared(values, values).ok
    made = compared(values, -values)
    assert not made.ok
    assert made.mismatched > 0.6  # next to the largest, 1 and -1 may be the same


def test_the_smallest_numbers_of_a_dtype():
    tiny = np.array([5e-324, 0.0, -5e-324])
    made = compared(tiny, -tiny, EXACT)
    assert not made.ok
    assert math.isfinite(made.max_rel)


def test_more_than_a_block():
    values = np.linspace(-1, 1, 200_000, dtype=np.float32).reshape(2, -1)
    other = values.copy()
    other[1, 99_999] += 1
    other[0, 0] = np.nan
    made = compared(values, other)
    assert (made.nonfinite, made.worst.index) == (1, (0, 0))
    assert made.mismatched == pytest.approx(2 / 200_000)
    assert sum(made.histogram) == 199_999


def test_scores_have_a_top1_agreement():
    made = compared([[1.0, 2.0], [2.0, 1.0]], [[1.0, 2.0], [1.0, 2.0]])
    assert made.top1 == 0.5
    assert compare_arrays("states", np.ones((2, 2)), np.ones((2, 2)), TIGHT).top1 is None


def test_a_smallest_cosine_can_be_required():
    asked = Tolerance(of_scale=10, relative=10, cosine=0.99)
    assert compared([1.0, 0.0], [1.0, 0.01], asked).ok
    made = compared([1.0, 0.0], [0.0, 1.0], asked)
    assert not made.ok
    assert "cosine" in made.reason


FLOATS = arrays.arrays(
    st.sampled_from([np.float16, np.float32, np.float64]),
    arrays.array_shapes(min_dims=0, max_dims=3, min_side=0),
    elements=st.floats(width=16, allow_nan=True, allow_infinity=True),
)
INTEGERS = arrays.arrays(
    st.sampled_from([np.int8, np.uint8, np.int64, np.uint64, np.bool_]), arrays.array_shapes(max_dims=3)
)


@settings(deadline=None)
@given(st.one_of(FLOATS, INTEGERS))
def test_an_array_is_equal_to_itself(values):
    made = compare_arrays("x", values, values.copy(), EXACT)
    assert made.ok
    assert (made.max_abs, made.mismatched, made.nonfinite) == (0, 0, 0)


@settings(deadline=None)
@given(FLOATS, st.randoms(use_true_random=False))
def test_a_comparison_is_symmetric(values, random):
    flat = values.reshape(-1).copy()
    order = list(range(flat.size))
    random.shuffle(order)
    other = flat[order].reshape(values.shape)
    there, back = (
        compare_arrays("x", *pair, Tolerance(0, 0, absolute=0.5)) for pair in ((values, other), (other, values))
    )
    assert (there.mismatched, there.nonfinite, there.max_abs, there.ok) == (
        back.mismatched,
        back.nonfinite,
        back.max_abs,
        back.ok,
    )


@settings(deadline=None)
@given(FLOATS)
def test_every_element_that_is_finite_in_both_is_in_the_histogram(values):
    with np.errstate(over="ignore"):
        other = (values + values.dtype.type(0.25)).astype(values.dtype)
    made = compare_arrays("x", values, other, TIGHT)
    finite = np.isfinite(values) & np.isfinite(other)
    assert sum(made.histogram) == np.count_nonzero(finite)
    assert len(made.histogram) in (0, len(EDGES) + 2)


@settings(deadline=None)
@given(FLOATS)
def test_a_record_survives_the_round_trip_through_json(values):
    import msgspec

    made = compare_arrays("x", values, np.zeros_like(values), TIGHT)
    assert msgspec.json.decode(msgspec.json.encode(made), type=type(made)) == made


def test_a_share_of_integers_may_differ():
    reference = np.arange(100)
    actual = reference.copy()
    actual[:2] += 1
    assert not compared(reference, actual, Tolerance(of_scale=0, relative=0)).ok
    assert not compared(reference, actual, Tolerance(of_scale=0, relative=0, share=0.01)).ok
    made = compared(reference, actual, Tolerance(of_scale=0, relative=0, share=0.02))
    assert made.ok
    assert made.mismatched == 0.02


def test_zeros_allow_rounding_only():
    zeros = np.zeros(8, np.float32)
    assert compared(zeros, zeros + np.float32(1e-8)).ok
    assert not compared(zeros, zeros + np.float32(1e-6)).ok
    assert not compared(zeros, zeros + np.float32(1e-8), EXACT).ok
