"""A shrunk case fails, no simpler case does, and it is found in few runs."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.spec.values import PaddingMask
from dummyio.validation.data.records import Case
from dummyio.validation.shrink import _simpler_cases, shrink_case

ROWS, LENGTH = Dim("batch_size", 2), Dim("sequence_length", 8, min=2, max=64, multiple_of=2)
SPEC = InputSpec({"mask": TensorSpec("", (ROWS, LENGTH), "int64", PaddingMask())})
FULL = Case("full", {"batch_size": 7, "sequence_length": 64}, policy="shortest", values="hidden_row")


def test_a_case_that_always_fails_becomes_minimal():
    case = shrink_case(SPEC, FULL, lambda _: True)
    assert case.sizes == {"batch_size": 1, "sequence_length": 2}
    assert (case.policy, case.values) == ("full", "drawn")
    assert case.name == "full, shrunk"


def test_a_minimal_case_is_unchanged():
    assert shrink_case(SPEC, FULL, lambda _: False) == FULL


@settings(deadline=None)
@given(rows=st.integers(1, 7), length=st.integers(1, 32), hidden=st.booleans())
def test_the_result_fails_and_is_minimal(rows, length, hidden):
    asked = []

    def fails(case):
        asked.append(case)
        enough = case.sizes["batch_size"] >= rows and case.sizes["sequence_length"] >= 2 * length
        return enough and (case.values == "hidden_row" or not hidden)

    case = shrink_case(SPEC, FULL, fails)
    assert len(asked) <= 40
    assert fails(case)
    assert not any(fails(other) for other in _simpler_cases(SPEC, case))


@pytest.mark.parametrize("length", range(2, 65, 2))
def test_sizes_stay_within_their_bounds(length):
    case = shrink_case(SPEC, FULL, lambda case: case.sizes["sequence_length"] >= length)
    assert LENGTH.takes(case.sizes["sequence_length"])


def test_an_exception_of_the_predicate_is_raised():
    with pytest.raises(ZeroDivisionError):
        shrink_case(SPEC, FULL, lambda _: 1 / 0)
