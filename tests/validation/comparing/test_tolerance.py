"""The tolerance of an output: by dtype, by the rounding error of the reference, by preset, given by the caller."""

import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import OptionError
from dummyio.validation.comparing.tolerance import PRESETS, Tolerances, measure_rounding_error

FLOAT, DOUBLE, HALF = np.dtype("float32"), np.dtype("float64"), np.dtype("float16")


def derived():
    return Tolerances(None, None, None)


def test_the_coarser_of_two_dtypes_decides():
    assert derived().of("y", DOUBLE, DOUBLE).of_scale < derived().of("y", FLOAT, FLOAT).of_scale
    assert derived().of("y", FLOAT, HALF) == derived().of("y", HALF, FLOAT)
    assert derived().of("y", FLOAT, HALF).of_scale > derived().of("y", FLOAT, FLOAT).of_scale


def test_narrow_floats_have_a_tolerance_below_their_scale():
    for dtype in (HALF, np.dtype(ml_dtypes.bfloat16)):
        assert 0 < derived().of("y", dtype, dtype).of_scale < 0.1


def test_a_reference_with_a_double_precision_run_has_a_narrower_tolerance():
    blind, seeing = derived(), derived()
    seeing.add_rounding_error("y", 1e-8)
    assert seeing.of("y", FLOAT, FLOAT).of_scale < blind.of("y", FLOAT, FLOAT).of_scale


def test_the_largest_rounding_error_counts():
    tolerances = derived()
    for error in (1e-4, 1e-3, 1e-5):
        tolerances.add_rounding_error("y", error)
    assert tolerances.of("y", FLOAT, FLOAT).of_scale == pytest.approx(1e-2)
    assert "rounding error" in tolerances.of("y", FLOAT, FLOAT).reason
    assert tolerances.of("other", FLOAT, FLOAT).of_scale < 1e-4


def test_a_given_tolerance_is_never_widened():
    tolerances = Tolerances(1e-3, {"y": 1e-2}, None)
    tolerances.add_rounding_error("y", 1.0)
    given = tolerances.of("y", FLOAT, FLOAT)
    assert (given.absolute, given.relative, given.of_scale, given.given) == (1e-3, 1e-2, 0.0, True)


def test_a_tolerance_for_one_output_does_not_change_the_others():
    tolerances = Tolerances({"y": 0.5}, None, None)
    assert tolerances.of("y", FLOAT, FLOAT).absolute == 0.5
    assert not tolerances.of("z", FLOAT, FLOAT).given


def test_a_preset_is_taken():
    assert Tolerances(None, None, "int8").of("y", FLOAT, FLOAT) == PRESETS["int8"]


def test_an_unknown_preset_names_the_known_ones():
    with pytest.raises(OptionError, match="int8"):
        Tolerances(None, None, "int9")


@pytest.mark.parametrize("wrong", [-1e-3, float("nan"), float("inf")])
@pytest.mark.parametrize("name", ["atol", "rtol"])
def test_a_tolerance_is_a_finite_number_and_not_negative(name, wrong):
    with pytest.raises(OptionError, match=name):
        Tolerances(**{"atol": None, "rtol": None, name: {"y": wrong}}, preset=None)


def test_a_tolerance_for_an_unknown_output_is_an_error():
    with pytest.raises(OptionError, match=r"logit'.*logits"):
        Tolerances({"logit": 0.1}, None, None).check_names({"logits": None})


def test_the_rounding_error_is_relative_to_the_scale():
    precise = np.array([100.0, 50.0, np.inf])
    reference = np.array([100.001, 50.0, np.inf], np.float32)
    assert measure_rounding_error(reference, precise) == pytest.approx(1e-5, rel=0.1)
    assert measure_rounding_error(np.array([1, 2]), np.array([1, 3])) == 0.5  # of integers, how many rounding decides
    assert measure_rounding_error(np.zeros((0,)), np.zeros((0,))) == 0.0


def test_integers_may_differ_only_if_rounding_changes_them_in_the_reference():
    whole = np.dtype("int64")
    assert derived().of("y", whole, whole).share == 0
    for own, share in ((0.001, 0.002), (0.5, 0.0)):
        tolerances = derived()
        tolerances.add_rounding_error("y", own)
        assert tolerances.of("y", whole, whole).share == pytest.approx(share)
