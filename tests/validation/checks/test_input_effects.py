"""What each input changes: an input that is ignored is found whatever the tolerance, and one that proves nothing is named."""

import numpy as np
import pytest

import dummyio
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.proof import Proof
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.values import Constant, Normal

ROWS = (Dim("batch_size", 3), 16)
SPEC = InputSpec({name: TensorSpec("", ROWS) for name in ("left", "right")})
WEIGHTS = np.random.default_rng(0).normal(size=(2, 16, 24)).astype(np.float32)


def mix(left, right, share=0.2):
    return {"mixed": left @ WEIGHTS[0] + share * (right @ WEIGHTS[1])}


def round_to_8_bits(values):
    step = np.abs(values).max() / 127
    return (np.round(values / step) * step).astype(np.float32)


def find(kind, report):
    return [(finding.severity, finding.where) for finding in report.findings if finding.kind == kind]


@pytest.mark.parametrize(
    "changed",
    [
        lambda left, right: mix(left, np.zeros_like(right)),
        lambda left, right: mix(left, right, -0.05),
        lambda left, right: mix(left, right, 0.01),
    ],
    ids=["ignored", "turned round", "nearly ignored"],
)
@pytest.mark.parametrize("options", [{"tolerance": "int8"}, {"atol": 2.0}], ids=["int8", "atol"])
def test_an_input_without_its_effect_is_found_within_a_wide_tolerance(changed, options):
    report = dummyio.validate(changed, mix, spec=SPEC, **options)
    assert find("values", report) == []
    assert find("effect", report) == [("error", "right")]
    assert "other values of it change mixed by up to" in report.errors[0].message


def test_rounding_to_8_bits_keeps_the_effect_of_each_input():
    def coarse(left, right):
        return {"mixed": round_to_8_bits(mix(round_to_8_bits(left), round_to_8_bits(right))["mixed"])}

    report = dummyio.validate(coarse, mix, spec=SPEC, tolerance="int8")
    assert report.ok
    assert find("effect", report) == find("vacuous", report) == []


def test_inputs_that_prove_nothing_are_named_with_the_reason():
    spec = InputSpec({**SPEC, "scale": TensorSpec("", (), values=Constant(2)), "unused": TensorSpec("", ROWS)})

    def scale_all(left, right, scale, unused):
        del unused
        return {"mixed": mix(left, right)["mixed"] * scale}

    report = dummyio.validate(scale_all, scale_all, spec=spec)
    assert report.ok
    assert find("vacuous", report) == [("warning", "scale"), ("warning", "unused")]
    assert [finding.message.partition(":")[0] for finding in report.warnings] == [
        "its rule gives the same values in every sample",
        "no result changes with it",
    ]


def test_what_a_proof_has_found_needs_no_further_run():
    proof = Proof(level="values", ineffective={"right": "no result changes with it"})
    plain = dummyio.validate(mix, mix, spec=SPEC)
    proved = dummyio.validate(mix, mix, spec=SPEC.with_proof(proof))
    assert find("vacuous", proved) == [("warning", "right")]
    assert plain.runs["reference"] == proved.runs["reference"] + 3
    assert plain.runs["actual"] == proved.runs["actual"]


def test_a_case_of_large_numbers_does_not_widen_the_tolerance_of_others():
    spec = InputSpec({name: TensorSpec("", ROWS, values=Normal()) for name in ("left", "right")})
    report = dummyio.validate(lambda left, right: mix(left, 0 * right), mix, spec=spec, tolerance="int8")
    assert find("effect", report) == [("error", "right")]
    assert find("vacuous", dummyio.validate(mix, mix, spec=spec, tolerance="int8")) == []
