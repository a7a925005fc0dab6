"""Rules as data: what each refuses, before anything is made, and the one form that they are written in."""

import math

import numpy as np
import pytest

from dummyio.errors import SpecError
from dummyio.input_spec import InputSpec
from dummyio.spec.dims import Dim
from dummyio.spec.dtypes import DType
from dummyio.spec.tensor_spec import TensorSpec
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
    Rows,
    Rule,
    Run,
    Strings,
    TokenIds,
    Uniform,
    canonicalize_rule,
)

NUMBERS = ("float", "int", "uint")
KINDS = {
    Uniform(0, 1): (*NUMBERS, "bool", "complex"),
    Normal(): ("float", "complex"),
    Range(): NUMBERS,
    Positions(): NUMBERS,
    Grid(2): NUMBERS,
    PaddingMask(): (*NUMBERS, "bool"),
    TokenIds(2): ("int", "uint"),
    Labels(2): ("int", "uint"),
    OneHot(): (*NUMBERS, "bool"),
    Rows((0, 1, 1, 0)): (*NUMBERS, "bool"),
    Boxes(0, 1): NUMBERS,
    Strings(): ("string",),
    Lengths(2): NUMBERS,
    Indices(2): ("int", "uint"),
    Columns((2, 1, 2, 3)): NUMBERS,
}
BY_KIND = {
    "float": "float32",
    "int": "int32",
    "uint": "uint8",
    "bool": "bool",
    "complex": "complex64",
    "string": "string",
}


def test_no_rule_is_missing_here():
    assert {type(rule) for rule in KINDS} | {Constant, Choices} == set(Rule.__args__)


@pytest.mark.parametrize("rule", KINDS, ids=repr)
@pytest.mark.parametrize("kind", BY_KIND)
def test_a_rule_fills_some_kinds_of_tensors_only(rule, kind):
    if kind in KINDS[rule]:
        assert TensorSpec("x", (2, 4), BY_KIND[kind], rule).values == rule
    else:
        with pytest.raises(SpecError, match=r"input 'x': .* fills [a-z, ]+ tensors; this one is"):
            TensorSpec("x", (2, 4), BY_KIND[kind], rule)


@pytest.mark.parametrize("dtype", DType, ids=str)
def test_every_dtype_has_a_rule_by_default(dtype):
    spec = TensorSpec("x", (64,), dtype)
    values = InputSpec({"x": spec}).feeds()["x"]
    assert values.dtype == dtype.numpy
    assert len(set(values.tolist())) > 1 or dtype is DType.INT1


NEEDS_AN_AXIS = [
    Range(),
    Positions(),
    PaddingMask(),
    OneHot(),
    Boxes(),
    TokenIds(9, first=1),
    TokenIds(9, last=1),
    TokenIds(9, mask="m"),
    TokenIds(9, runs=(Run(1),)),
    Rows((1,)),
    Labels(9, mask="m"),
    Indices(9, "ascending"),
    Indices(9, "starts"),
    Columns((1,)),
]


@pytest.mark.parametrize("rule", NEEDS_AN_AXIS, ids=repr)
def test_a_scalar_has_no_axis_to_run_along(rule):
    with pytest.raises(SpecError, match="needs at least one axis; this tensor is a scalar"):
        TensorSpec("x", (), "int32", rule)


INF, NAN = math.inf, math.nan
REFUSED = [
    # Empty, reversed, not finite.
    (Uniform(1, 1), "float32", "must be below"),
    (Uniform(2, 1), "int32", "must be below"),
    (Uniform(0, INF), "float64", "must be finite"),
    (Uniform(-INF, 0), "float64", "must be finite"),
    (Uniform(NAN, 1), "float32", "must be finite"),
    (Uniform(0, NAN), "int8", "must be finite"),
    (Uniform(0, 10**400), "float64", "too large"),
    (Normal(0, 0), "float32", "std finite and positive"),
    (Normal(0, -1), "float32", "std finite and positive"),
    (Normal(NAN, 1), "float32", "must be finite"),
    (Normal(0, INF), "float32", "must be finite"),
    (Range(INF), "float32", "not finite"),
    (Range(0, NAN), "float32", "step must be finite"),
    (Range(0, INF), "int32", "step must be finite"),
    (Constant(NAN), "float32", "not finite"),
    (Constant(-INF), "bfloat16", "not finite"),
    (Choices((0, INF)), "float32", "not finite"),
    # More than the dtype holds.
    (Uniform(0, 1e39), "float32", "float32 holds"),
    (Uniform(-70000, 0), "float16", "float16 holds"),
    (Uniform(0, 1e300), "complex64", "float32 holds"),
    (Uniform(0, 449), "float8_e4m3fn", "float8_e4m3fn holds"),
    (Uniform(-1, 1), "float8_e8m0fnu", "float8_e8m0fnu holds"),
    (Uniform(0, 257), "uint8", "uint8 holds"),
    (Uniform(-1, 1), "uint64", "uint64 holds"),
    (Uniform(-129, 0), "int8", "int8 holds"),
    (Uniform(0, 2**63 + 1), "int64", "int64 holds"),
    (Uniform(0, 2**64 + 1), "uint64", "uint64 holds"),
    (Uniform(0, 3), "bool", "bool holds"),
    (Uniform(0, 2), "int1", "int1 holds"),
    (Normal(1e39), "float32", "float32 holds"),
    (Normal(0, 1e300), "complex64", "complex64 holds"),
    (Normal(0, 449), "float8_e4m3fn", "float8_e4m3fn holds"),
    (Constant(300), "uint8", "uint8 holds"),
    (Constant(8), "int4", "int4 holds"),
    (Constant(1e39), "float32", "outside of float32"),
    (Constant(1e300), "complex64", "outside of complex64"),
    (Constant(0), "float8_e8m0fnu", "outside of float8_e8m0fnu"),
    (Constant(7), "float4_e2m1fn", "outside of float4_e2m1fn"),
    (Choices((1, 2, 300)), "uint8", "uint8 holds"),
    (Range(-1), "uint8", "uint8 holds"),
    (PaddingMask(), "int1", "int1 holds"),
    (PaddingMask(), "float8_e8m0fnu", "0 is outside"),
    (OneHot(), "float8_e8m0fnu", "0 is outside"),
    (OneHot(), "int1", "int1 holds"),
    (Positions(), "float8_e8m0fnu", "0 is outside"),
    (TokenIds(300), "uint8", "uint8 holds"),
    (TokenIds(10, pad=-1), "uint8", "uint8 holds"),
    (TokenIds(10, first=300), "uint8", "uint8 holds"),
    (TokenIds(10, last=128), "int8", "int8 holds"),
    (Labels(200), "int8", "int8 holds"),
    (Labels(10, mask="m"), "uint8", "uint8 holds"),
    (Labels(10, ignored=0.5), "uint64", "uint64 holds"),
    (Boxes(0, 300), "uint8", "uint8 holds"),
    (Boxes(-128, 128, "xywh"), "int8", "int8 holds"),  # as wide as 255
    (Boxes(-3e38, 3e38, "cxcywh"), "float32", "outside of float32"),
    (Boxes(2**63, 2**63 + 5), "uint64", "int64 holds"),
    (Boxes(1, 2, "xywh"), "float8_e8m0fnu", "0 is outside"),  # as wide as 0
    # No value of the dtype inside.
    (Uniform(1.1, 1.2), "bfloat16", None),
    (Uniform(1.0001, 1.0002), "bfloat16", "no value of bfloat16 lies in"),
    (Uniform(5, 6), "float4_e2m1fn", "no value of float4_e2m1fn lies in"),
    (Boxes(5, 5.5), "float4_e2m1fn", "no value of float4_e2m1fn lies in"),
    # Whole numbers.
    (Uniform(0.5, 3), "int32", "must be whole numbers"),
    (Uniform(0, 2.5), "int32", "must be whole numbers"),
    (Constant(1.5), "int32", "must be whole numbers"),
    (Choices((1, 0.5)), "bool", "must be whole numbers"),
    (Range(0.5), "int32", "must be whole numbers"),
    (Range(0, 0.5), "int32", "step of int32 must be a whole number"),
    (Boxes(0, 1.5), "int32", "must be whole numbers"),
    (Boxes(0, 9, "cxcywh"), "int32", "a centre may lie between integers"),
    # Nothing to choose, too much to choose.
    (TokenIds(0), "int64", "a vocabulary of 0 holds no id"),
    (TokenIds(-5), "int64", "a vocabulary of 0 holds no id"),
    (TokenIds(3, low=3), "int64", "a vocabulary of 0 holds no id"),
    (TokenIds(3, reserved=(0, 1, 2)), "int64", "every id in .* is reserved"),
    (TokenIds(2**32 + 1), "int64", "at most 2\\^32"),
    (Labels(0), "int64", "at least one class"),
    (Labels(2**32 + 1), "int64", "at most 2\\^32"),
    (Labels(3, ignored=1.5), "int64", "ignored is a share"),
    (Labels(3, ignored=-0.1), "int64", "ignored is a share"),
    (Labels(3, ignored=NAN), "int64", "ignored is a share"),
    (Boxes(0, 2**33), "int64", "at most 2\\^32"),
    (Choices(()), "int64", "at least one value"),
    (PaddingMask(least=0), "int64", "at least one token"),
    (Grid(0), "int64", "columns must be at least 1"),
    # Text.
    (Constant("a"), "int64", "'a' is not a value of int64"),
    (Constant(1), "string", "1 is not a value of string"),
    (Choices(("a", 1)), "string", "1 is not a value of string"),
    (Strings(()), "string", "words must hold at least one"),
    (Strings(low=3, high=3), "string", "0 <= low < high"),
    (Strings(low=-1, high=3), "string", "0 <= low < high"),
    (Strings(high=2**16 + 1), "string", "0 <= low < high"),
    # Contradictions.
    (Positions(mask="m", start=3), "int64", "set one of the two"),
    (Positions(mask="m", start="past"), "int64", "set one of the two"),
    # Fields of another type.
    (Uniform("0", 1), "float32", "Expected"),
    (Uniform(True, 2), "float32", "Expected"),
    (Uniform(None, 2), "float32", "Expected"),
    (TokenIds(5.5), "int64", "Expected `int`"),
    (TokenIds(5, reserved=(1, "2")), "int64", "Expected `int`"),
    (TokenIds(5, reserved=(10**400,)), "int64", "too large"),
    (PaddingMask("middle"), "int64", "Invalid enum value"),
    (PaddingMask(policy=None), "int64", "Expected `str`"),
    (PaddingMask(least=10**400), "int64", "too large"),
    (PaddingMask(pad=2), "int64", "Invalid enum value"),
    (Constant(...), "int64", "is neither a number nor a string"),
    (Constant(None), "int64", "Expected"),
    (Constant([1]), "int64", "Expected"),
    (Choices(5), "int64", "Expected `array`"),
    (Strings(words=("a", 1)), "string", "Expected `str`"),
    (TokenIds(5, mask=3), "int64", "Expected `str"),
]


@pytest.mark.parametrize(("rule", "dtype", "message"), REFUSED, ids=lambda value: str(value)[:60])
def test_a_rule_that_cannot_be_is_refused(rule, dtype, message):
    if message is None:
        assert TensorSpec("x", (2, 4), dtype, rule)
        return
    with pytest.raises(SpecError, match=message) as caught:
        TensorSpec("x", (2, 4), dtype, rule)
    assert str(caught.value).startswith(f"input 'x': {rule!r}"[:100])


@pytest.mark.parametrize("values", ["uniform", {"rule": "uniform"}, Uniform, 3, (0, 1)])
def test_what_is_no_rule_is_refused(values):
    with pytest.raises(SpecError, match=r"is not a rule: use one of dummyio.values"):
        TensorSpec("x", (2,), "float32", values)


def test_boxes_have_four_numbers():
    for shape in ((3,), (4, 2), (4, Dim("n", 4))):
        with pytest.raises(SpecError, match="the last axis of boxes has 4 elements"):
            TensorSpec("x", shape, "float32", Boxes())


def test_a_grid_has_cells_and_coordinates():
    with pytest.raises(SpecError, match="needs at least 2 axes; this tensor has 1"):
        TensorSpec("x", (4,), "int64", Grid(2))


def test_a_tensor_has_only_so_many_axes():
    assert TensorSpec("x", (1,) * 32).rank == 32
    with pytest.raises(SpecError, match="input 'x': 33 axes: a tensor has at most 32"):
        TensorSpec("x", (1,) * 33)


# What can be said only when the sizes are known.

N = Dim("n", 4, min=0, max=1 << 40)
COUNTS = [
    (Range(), "int8", (N,), 128, 129),
    (Range(100, -10), "uint8", (N,), 11, 12),
    (Range(0, 100), "float8_e4m3fn", (2, N), 5, 6),
    (Range(2**63, 2**61), "uint64", (N,), 4, 5),
    (Positions(), "int8", (N,), 128, 129),
    (Positions(), "uint4", (3, N), 16, 17),
    (Positions(), "float16", (N,), 65505, 65506),
    (Positions(start=120), "int8", (N,), 8, 9),
    (Positions(start="n * 2"), "int8", (2,), 63, 64),
    (Grid(100), "int4", (N, 2), 8, 9),
    (Grid(4), "int4", (N, 2), 32, 33),
    (Grid("n"), "int4", (4, 2), 1 << 20, 0),
]


@pytest.mark.parametrize(("rule", "dtype", "shape", "fits", "breaks"), COUNTS, ids=lambda value: str(value)[:30])
def test_a_rule_that_counts_further_than_its_dtype_is_refused_at_those_sizes(rule, dtype, shape, fits, breaks):
    spec = InputSpec({"x": TensorSpec("x", shape, dtype, rule), "size": TensorSpec("", (N, 0))})
    values = spec.feeds(n=fits)["x"].astype(np.float64)
    assert np.isfinite(values).all()
    if not isinstance(rule, Grid):
        assert (np.diff(values, axis=-1) * getattr(rule, "step", 1) >= 0).all(), "it wrapped around"
    with pytest.raises(SpecError, match=r"input 'x': .*(counts from|columns must be)"):
        spec.feeds(n=breaks)


def test_a_start_below_what_the_dtype_holds_is_refused():
    spec = InputSpec({"x": TensorSpec("x", (N,), "uint8", Positions(start="n - 5"))})
    assert spec.feeds(n=6)["x"].tolist() == [1, 2, 3, 4, 5, 6]
    with pytest.raises(SpecError, match="counts from -1 to 2"):
        spec.feeds(n=4)


def test_positions_can_count_as_far_as_their_mask():
    inputs = {
        "mask": TensorSpec("", (2, N), "bool", PaddingMask("left", "full")),
        "positions": TensorSpec("", (2, 1), "uint4", Positions(mask="mask")),
    }
    spec = InputSpec(inputs)
    assert spec.feeds(n=16)["positions"].tolist() == [[15], [15]]
    with pytest.raises(SpecError, match=r"input 'positions': .* counts from 0 to 16, and uint4 holds 0 to 15"):
        spec.feeds(n=17)


@pytest.mark.parametrize("rule", [PaddingMask(), OneHot()])
def test_a_place_is_drawn_among_as_many_as_a_word_tells_apart(rule):
    spec = InputSpec({"x": TensorSpec("x", (2, N), "bool", rule)})
    spec.shapes({"n": 2**32})
    with pytest.raises(SpecError, match=r"at most 2\^32"):
        spec.shapes({"n": 2**32 + 1})


# One form.


ALIKE = [
    (Uniform(0.0, 1.0), Uniform()),
    (Uniform(np.float32(0.5), np.int64(2)), Uniform(0.5, 2)),
    (Uniform(-0.0, 2.0**64), Uniform(0, 2**64)),
    (Uniform(0, 2**70), Uniform(0, 2.0**70)),
    (Constant(True), Constant(1)),
    (Constant(np.True_), Constant(1)),
    (Constant(np.float64(2)), Constant(2)),
    (Choices([True, 2.0, 0.5]), Choices((1, 2, 0.5))),
    (TokenIds(np.int32(5), reserved=[np.int64(1), 2]), TokenIds(5, reserved=(1, 2))),
    (TokenIds(5.0), TokenIds(5)),
    (Labels(5, ignore_index=int("-100"), ignored=0), Labels(5)),
    (Labels(5, ignored=1), Labels(5, ignored=1.0)),
    (PaddingMask(side=str(np.str_("right"))), PaddingMask()),
    (Strings(words=["alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"]), Strings()),
    (Strings(words=["a"]), Strings(words=("a",))),
    (Positions(start=np.int64(3)), Positions(start=3)),
]


@pytest.mark.parametrize(("one", "other"), ALIKE, ids=repr)
def test_rules_that_are_alike_are_written_alike(one, other):
    dtype = {Strings: "string", Constant: "float32", Choices: "float32", Uniform: "float64"}.get(type(one), "int64")
    first, second = (InputSpec({"x": TensorSpec("x", (2,), dtype, rule)}) for rule in (one, other))
    assert first == second
    assert hash(first) == hash(second)
    assert first.to_json() == second.to_json()
    assert first.sha256 == second.sha256
    assert repr(first["x"].values) == repr(second["x"].values)


@pytest.mark.parametrize("rule", [*KINDS, Constant(0.5), Choices(("a", "b"))], ids=repr)
def test_a_rule_in_its_one_form_stays_as_it_is(rule):
    assert canonicalize_rule(rule) == rule
    assert repr(canonicalize_rule(rule)) == repr(rule)
    assert hash(canonicalize_rule(rule)) == hash(rule)


@pytest.mark.parametrize("rule", KINDS, ids=repr)
def test_a_rule_cannot_be_changed(rule):
    for field in rule.__struct_fields__:
        with pytest.raises(AttributeError):
            setattr(rule, field, 1)


def test_a_rule_prints_what_is_not_default():
    assert repr(TokenIds(30522, reserved=(0, 100), mask="attention_mask")) == (
        "TokenIds(high=30522, reserved=(0, 100), mask='attention_mask')"
    )
    assert repr(PaddingMask("left")) == "PaddingMask(side='left')"
