"""From outcomes to findings: a size is blamed where it decides, and not where masks or values do."""

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
def test_a_size_that_alone_decides(wrong):
    assert blamed(passed(), passed(batch_size=1), wrong(sequence_length=1), wrong(sequence_length=64)) == [
        "sequence_length"
    ]


def test_a_size_that_was_kept():
    (finding,) = find_specialized_dims([passed(), broken(batch_size=1), broken(batch_size=4, sequence_length=16)])
    assert finding.message.startswith("cases pass at size 3 only, and fail at 1, 4")


def test_two_sizes_that_were_kept():
    assert blamed(passed(), broken(batch_size=1), broken(sequence_length=1)) == ["batch_size", "sequence_length"]


def test_a_size_that_is_right_elsewhere():
    assert not blamed(passed(), passed(batch_size=1, sequence_length=2), broken(batch_size=1))


def test_values_that_are_off_at_the_same_sizes_have_another_reason():
    assert not blamed(passed(), off("full"), off(batch_size=1))


def test_a_size_that_breaks_is_blamed_even_so():
    assert blamed(passed(), off("full"), broken(batch_size=1)) == ["batch_size"]


def test_one_element_has_none_that_it_could_be_mixed_up_with():
    right = [passed(sequence_length=1), passed(batch_size=1, sequence_length=1)]
    assert not blamed(*right, off(), off(sequence_length=64))
    assert blamed(*right, broken(), broken(sequence_length=64)) == ["sequence_length"]


def test_without_a_case_that_passes_nothing_is_blamed():
    assert not blamed(broken(), off(batch_size=1))


def test_what_fails_is_a_finding_for_each_output_and_one_for_what_did_not_run():
    assert [finding.kind for finding in list_failures([off(), off(batch_size=1), broken()])] == ["values", "run"]
