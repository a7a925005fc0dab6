"""How far an output may be off: by dtype, by the reference's own error, by preset, as the caller says."""

import ml_dtypes
import numpy as np
import pytest

from dummyio.errors import OptionError
from dummyio.validation.comparing.tolerance import PRESETS, Tolerances, measure_rounding_error

FLOAT, DOUBLE, HALF = np.dtype("float32"), np.dtype("float64"), np.dtype("float16")


def derived():
    return Tolerances(None, None, None)


def test_a_coarser_dtype_of_the_two_decides():
    assert derived().of("y", DOUBLE, DOUBLE).of_scale < derived().of("y", FLOAT, FLOAT).of_scale
    assert derived().of("y", FLOAT, HALF) == derived().of("y", HALF, FLOAT)
    assert derived().of("y", FLOAT, HALF).of_scale > derived().of("y", FLOAT, FLOAT).of_scale


def test_narrow_floats_have_a_tolerance_that_says_something():
    for dtype in (HALF, np.dtype(ml_dtypes.bfloat16)):
        assert 0 < derived().of("y", dtype, dtype).of_scale < 0.1


def test_a_reference_that_was_run_in_double_precision_allows_less():
    blind, seeing = derived(), derived()
    seeing.add_rounding_error("y", 1e-8)
    assert seeing.of("y", FLOAT, FLOAT).of_scale < blind.of("y", FLOAT, FLOAT).of_scale


def test_the_largest_own_error_counts():
    tolerances = derived()
    for error in (1e-4, 1e-3, 1e-5):
        tolerances.add_rounding_error("y", error)
    assert tolerances.of("y", FLOAT, FLOAT).of_scale == pytest.approx(1e-2)
    assert "rounding error" in tolerances.of("y", FLOAT, FLOAT).reason
    assert tolerances.of("other", FLOAT, FLOAT).of_scale < 1e-4


def test_what_the_caller_gives_is_never_widened():
    tolerances = Tolerances(1e-3, {"y": 1e-2}, None)
    tolerances.add_rounding_error("y", 1.0)
    given = tolerances.of("y", FLOAT, FLOAT)
    assert (given.absolute, given.relative, given.of_scale, given.given) == (1e-3, 1e-2, 0.0, True)


def test_a_tolerance_for_one_output_leaves_the_others():
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
def test_a_tolerance_is_a_number_that_is_not_negative(name, wrong):
    with pytest.raises(OptionError, match=name):
        Tolerances(**{"atol": None, "rtol": None, name: {"y": wrong}}, preset=None)


def test_a_tolerance_for_an_output_that_is_not_there_is_refused():
    with pytest.raises(OptionError, match=r"logit'.*logits"):
        Tolerances({"logit": 0.1}, None, None).check_names({"logits": None})


def test_the_own_error_is_a_share_of_the_scale():
    precise = np.array([100.0, 50.0, np.inf])
    reference = np.array([100.001, 50.0, np.inf], np.float32)
    assert measure_rounding_error(reference, precise) == pytest.approx(1e-5, rel=0.1)
    assert measure_rounding_error(np.array([1, 2]), np.array([1, 3])) == 0.5  # of integers, how many rounding decides
    assert measure_rounding_error(np.zeros((0,)), np.zeros((0,))) == 0.0


def test_integers_must_be_equal_but_for_those_that_the_reference_decides_by_rounding():
    whole = np.dtype("int64")
    assert derived().of("y", whole, whole).share == 0
    for own, share in ((0.001, 0.002), (0.5, 0.0)):
        tolerances = derived()
        tolerances.add_rounding_error("y", own)
        assert tolerances.of("y", whole, whole).share == pytest.approx(share)
