"""Findings from outcomes: a dim is reported if its size decides, not if masks or values do."""

import pytest

from dummyio.validation.checks.diagnosis import find_specialized_dims, list_failures
from dummyio.validation.data.records import Case, Comparison, Outcome, Place

FIRST = {"batch_size": 3, "sequence_length": 16}


def passed(**changes):
    return Outcome(Case("passed", FIRST | changes), "passed")


def broken(**changes):
    return Outcome(Case("broken", FIRST | changes), "failed", reason="Reshape: 3 by 16 is not 48")


def off(policy=None, **changes):
    made = Comparison(
        "scores", (3, 2), "float32", ok=False, mismatched=0.5, worst=Place((0, 0), 1.0, 2.0), reason="off"
    )
    return Outcome(Case("off", FIRST | changes, policy=policy), "failed", (made,))


def blamed(*outcomes):
    return [finding.where for finding in find_specialized_dims(outcomes)]


@pytest.mark.parametrize("wrong", [broken, off])
def test_a_dim_that_alone_decides_is_reported(wrong):
    assert blamed(passed(), passed(batch_size=1), wrong(sequence_length=1), wrong(sequence_length=64)) == [
        "sequence_length"
    ]


def test_a_specialized_dim():
    (finding,) = find_specialized_dims([passed(), broken(batch_size=1), broken(batch_size=4, sequence_length=16)])
    assert finding.message.startswith("cases pass at size 3 only, and fail at 1, 4")


def test_two_specialized_dims():
    assert blamed(passed(), broken(batch_size=1), broken(sequence_length=1)) == ["batch_size", "sequence_length"]


def test_a_size_that_passes_in_another_case_is_not_reported():
    assert not blamed(passed(), passed(batch_size=1, sequence_length=2), broken(batch_size=1))


def test_differences_at_the_same_sizes_are_not_blamed_on_dims():
    assert not blamed(passed(), off("full"), off(batch_size=1))


def test_a_dim_is_reported_if_the_model_does_not_run_at_other_sizes():
    assert blamed(passed(), off("full"), broken(batch_size=1)) == ["batch_size"]


def test_differences_at_all_sizes_but_one_are_not_blamed_on_dims():
    right = [passed(sequence_length=1), passed(batch_size=1, sequence_length=1)]
    assert not blamed(*right, off(), off(sequence_length=64))
    assert blamed(*right, broken(), broken(sequence_length=64)) == ["sequence_length"]


def test_no_dim_is_reported_if_no_case_passes():
    assert not blamed(broken(), off(batch_size=1))


def test_failures_are_a_finding_per_output_and_one_for_cases_that_did_not_run():
    assert [finding.kind for finding in list_failures([off(), off(batch_size=1), broken()])] == ["values", "run"]
