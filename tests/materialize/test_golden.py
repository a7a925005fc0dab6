"""Golden values: a few elements of every rule in every dtype, as bytes. They are fixed.

A change to them changes the inputs of everybody who has kept a seed, and is a breaking release. Where it is meant, write
them anew and say so in the changelog:

    python tests/materialize/test_golden.py
"""

import json
from pathlib import Path

import pytest

from dummyio.errors import SpecError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.spec_data import OutputSpec
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import (
    Boxes,
    Choices,
    Columns,
    Constant,
    Grid,
    Indices,
    Labels,
    Lengths,
    Normal,
    OneHot,
    PaddingMask,
    Positions,
    Range,
    Strings,
    TokenIds,
    Uniform,
)

FILE = Path(__file__).parents[1] / "data" / "golden_values.json"
SHAPE = (2, 4)
WHICH = {"seed": 7, "sample": 3}
RULES = [
    Uniform(),
    Uniform(-1, 1),
    Uniform(0, 100),
    Uniform(0, 1 << 40),
    Uniform(0.3, 0.9),
    Normal(),
    Normal(1, 0.25),
    Constant(1),
    Constant(0.3),
    Range(),
    Range(1, 0.5),
    Positions(),
    Grid(2),
    PaddingMask(),
    PaddingMask("left"),
    PaddingMask("left", "shortest"),
    TokenIds(2),
    TokenIds(30_000, reserved=(0, 100, 101), first=101, last=102),
    Labels(2),
    Labels(10, ignore_index=-1, ignored=0.5),
    Choices((0, 1)),
    Choices((0.5, 1, 2)),
    OneHot(),
    Boxes(),
    Boxes(0, 50, "xywh"),
    Boxes(0, 50, "cxcywh"),
    Strings(),
    Lengths(9, least=2),
    Lengths(9, policy="shortest"),
    Indices(5),
    Indices(5, "ascending"),
    Indices(5, "starts"),
    Columns((3, 11, 5, 2), lows=(0, 9, 0, 1)),
    Columns((3, 11), axis=-2),
    Choices(("left", "right")),
]


def text(values):
    """An array as text: bytes in hexadecimal, an element to a word; strings as they are."""
    if values.dtype == object:
        return values.ravel().tolist()
    return values.tobytes().hex(" ", values.itemsize)


def one_spec():
    """A spec with masks, a past, derived sizes and a nest."""
    batch, length, past = (
        Dim("batch_size", 2),
        Dim("sequence_length", 3, max=512),
        Dim("past_sequence_length", 2, min=0),
    )
    layer = (TensorSpec("", (batch, 1, past, 2), "float16"),) * 2
    return InputSpec(
        {
            "input_ids": TensorSpec(
                "", (batch, length), "int64", TokenIds(99, reserved=(0,), mask="attention_mask", last=2)
            ),
            "attention_mask": TensorSpec("", (batch, past + length), "int64", PaddingMask("left")),
            "position_ids": TensorSpec("", (batch, length), "int32", Positions(mask="attention_mask")),
            "cache_position": TensorSpec("", (length,), "int64", Positions(start="past_sequence_length")),
            "labels": TensorSpec("", (batch, length), "int64", Labels(99, mask="attention_mask")),
            "past_key_values": Nest.of("cache", [layer]),
        },
        task="text-generation",
        outputs=(OutputSpec("logits", (batch, length, 99), "float32"),),
    )


def values():
    """Everything that is fixed."""
    golden = {"rules": {}, "far": {}, "spec": {}}
    for rule in RULES:
        for dtype in DType:
            try:
                spec = InputSpec({"x": TensorSpec("", SHAPE, dtype, rule)})
                golden["rules"].setdefault(repr(rule), {})[dtype.value] = text(spec.feeds(**WHICH)["x"])
            except SpecError:
                continue
    far = InputSpec(
        {"x": TensorSpec("", (1 << 20, 1 << 20), "float64"), "y": TensorSpec("", (1 << 40, 8), "int8", PaddingMask())}
    )
    for path in far:
        for start in (0, 1_048_573, (1 << 20) - 3):
            golden["far"][f"{path} {start}"] = text(
                materialize_part(far, path, [slice(start, start + 2), slice(5, 9)], **WHICH)
            )
    spec = one_spec()
    golden["spec"] = {"sha256": spec.sha256, "json": spec.to_json().decode()}
    golden["spec"] |= {path: made.astype(float).tolist() for path, made in spec.feeds(**WHICH).items()}
    return golden


@pytest.fixture(scope="module")
def golden():
    return json.loads(FILE.read_text())


@pytest.fixture(scope="module")
def now():
    return json.loads(json.dumps(values()))


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_a_rule_holds_its_golden_values_in_every_dtype(rule, golden, now):
    assert now["rules"][repr(rule)] == golden["rules"][repr(rule)]


def test_every_rule_and_dtype_has_golden_values(golden):
    named = {line.split("(")[0] for line in golden["rules"]}
    assert named == {type(rule).__name__ for rule in RULES}
    assert {dtype for held in golden["rules"].values() for dtype in held} == {dtype.value for dtype in DType}
    assert len(RULES) == len(golden["rules"])


def test_elements_far_away_hold_their_golden_values(golden, now):
    assert now["far"] == golden["far"]


def test_a_spec_has_its_golden_form_hash_and_values(golden, now):
    assert now["spec"] == golden["spec"]
    assert InputSpec.from_json(golden["spec"]["json"]).sha256 == golden["spec"]["sha256"]


def rewrite():
    """Write the golden values anew: a breaking release."""
    FILE.write_text(json.dumps(values(), indent=1) + "\n")


if __name__ == "__main__":
    rewrite()
