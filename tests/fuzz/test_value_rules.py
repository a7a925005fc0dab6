"""Random value rules, dtypes and shapes, valid and not: each is refused with an error of ours, or holds what it promises."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest

from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dim_parser import parse_size
from dummyio.spec.dims import Dim, evaluate_size
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
    Run,
    Strings,
    TokenIds,
    Uniform,
)

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    5,
    7,
    100,
    255,
    256,
    448,
    30522,
    65504,
    2**31,
    2**32,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -(2**63),
]
ODD = [
    10**30,
    10**400,
    10**5000,
    -(10**5000),
    0.5,
    -0.0,
    1e-300,
    5e-324,
    1e38,
    3.4e38,
    1e308,
    -1e308,
    math.inf,
    -math.inf,
    math.nan,
]
NONSENSE = [
    None,
    True,
    False,
    "",
    "1",
    "mask",
    "a\0",
    "\ud800",
    b"x",
    (),
    (1,),
    [],
    {},
    object(),
    1j,
    range(3),
    {1, 2},
    float,
    lambda: 1,
]
SCALARS = [
    np.float32(0.5),
    np.int8(3),
    np.uint64(2**63),
    np.bool_(1),
    np.array(2),
    np.array([1, 2]),
    np.float16("nan"),
    np.str_("a"),
]
SIZES = [
    0,
    1,
    2,
    3,
    4,
    7,
    16,
    100,
    1000,
    40_000,
    2**20,
    2**31,
    2**40,
    2**62,
    2**63 - 1,
    2**63,
    2**64,
    -1,
    1.5,
    True,
    None,
    "2",
]


class Maker:
    """Makes random arguments: usually sensible ones, sometimes extreme ones, sometimes nonsense."""

    def __init__(self, seed: object) -> None:
        self.random = random.Random(repr(seed))

    def choose(self, *choices):
        return self.random.choice(choices)

    def number(self):
        roll = self.random.random()
        if roll < 0.75:
            return self.choose(*NUMBERS[:12])
        if roll < 0.85:
            return self.choose(*NUMBERS)
        return self.choose(*ODD) if roll < 0.93 else self.choose(*SCALARS) if roll < 0.97 else self.choose(*NONSENSE)

    def some(self, value):
        return self.choose(*NONSENSE) if self.random.random() < 0.02 else value

    def numbers(self, most=6):
        if self.random.random() < 0.01:
            return tuple(range(self.choose(100_000, 3000)))
        return self.some(tuple(self.number() for _ in range(self.random.randint(0, most))))

    def mask(self):
        return self.choose(None, None, "mask", self.some("mask"), "none")

    def runs(self):
        return self.some(
            tuple(
                Run(self.number(), self.number(), self.choose(1, 2, self.number()))
                for _ in range(self.choose(0, 0, 1, 3))
            )
        )

    def words(self):
        return self.some(
            tuple(
                self.choose("a", "beta", "\u00e9", "\u65e5\u672c", "\U0001f600", "", "x" * 1000, self.some("y"))
                for _ in range(self.choose(1, 2, 5, 0))
            )
        )

    def rule(self):
        number, some = self.number, self.some
        low = number()
        high = self.choose(number(), 2, 10, 256)
        return self.choose(
            lambda: Uniform(low, high),
            Uniform,
            lambda: Normal(number(), number()),
            lambda: Constant(self.choose(number(), 1, "text")),
            lambda: Range(number(), number()),
            lambda: Positions(self.mask(), self.choose(0, number(), "length", "length // 2", "-length", "nothing")),
            lambda: Grid(self.choose(number(), 3, "length", "length - 5")),
            lambda: PaddingMask(some(self.choose("left", "right")), some(self.choose("ragged", "full", "shortest")), number(), self.choose(0, 1, number())),
            lambda: TokenIds(high, number(), self.numbers(), self.mask(), number(), self.choose(None, number()), self.choose(None, number()), self.runs()),
            lambda: TokenIds(self.choose(10, 1000), mask=self.mask(), first=self.choose(None, 1), last=self.choose(None, 2), reserved=self.choose((), (0, 5, 9))),
            lambda: Labels(high, number(), self.choose(0, 0.5, 1, number()), self.mask()),
            lambda: Choices(self.choose(self.numbers(), ("a", "b"), (0, 1))),
            OneHot,
            lambda: Rows(self.numbers(4)),
            lambda: Boxes(low, high, some(self.choose("xyxy", "xywh", "cxcywh"))),
            lambda: Strings(self.words(), self.choose(1, 0, number()), self.choose(8, 2, 65536, number())),
            lambda: Lengths(self.choose(None, number(), "length", "length // 2", "nothing"), self.choose(0, 1, number()), some(self.choose("ragged", "full", "shortest")), self.choose(None, None, None, self.mask())),
            lambda: Indices(self.choose(number(), 5, "length", "-length"), some(self.choose("random", "ascending"))),
            lambda: Columns(self.numbers(4), self.choose((), self.numbers(4)), self.choose(-1, -1, -2, number())),
            lambda: self.choose(*NONSENSE),
        )()  # fmt: skip

    def shape(self):
        roll = self.random.random()
        if roll < 0.03:
            return self.choose(*NONSENSE)
        if roll < 0.06:
            return (1,) * self.choose(31, 32, 33, 64, 1000)
        rank = self.choose(0, 1, 1, 2, 2, 2, 3, 4)
        if roll < 0.7:
            sizes = [self.choose(*SIZES[1:8], Dim("length", 5, min=0)) for _ in range(rank)]
        else:
            sizes = [self.choose(*SIZES, 3, 4, 5) for _ in range(rank)]
        if rank and self.random.random() < 0.2:
            sizes[-1] = 4
        return tuple(sizes)

    def dtype(self):
        return self.some(self.choose(*DType, "float32", "int64", "float32", "int64", "string"))


def attack_one(seed: object) -> None:
    maker = Maker(seed)
    rule, dtype, shape = maker.rule(), maker.dtype(), maker.shape()
    tensor = TensorSpec("x", shape, dtype, rule)
    inputs = {"x": tensor}
    if maker.random.random() < 0.9:
        mask = maker.choose(PaddingMask(), PaddingMask("left"), PaddingMask(pad=1), Uniform(0, 2), maker.rule())
        longer = maker.choose(0, 0, 3)
        last = (tensor.shape[-1] + longer,) if tensor.shape else ()
        inputs["mask"] = TensorSpec("mask", (*tensor.shape[:-1], *last), maker.choose("int64", "bool", "int8"), mask)
    spec = InputSpec(inputs)
    repr(spec)
    str(spec)
    assert InputSpec.from_json(spec.to_json()) == spec
    which = {"seed": maker.choose(0, 1, -5, 2**70), "sample": maker.choose(0, 1, 10**9)}
    made = spec.feeds(**which)
    shapes = spec.shapes()
    for path, leaf in spec.leaves:
        check_values(leaf, made[path], shapes[path], made.get("mask"), dict(spec.leaves).get("mask"), spec.dims)
    index = [slice(maker.random.randint(0, 5), None, maker.choose(1, 2, 10**6)) for _ in tensor.shape]
    part = materialize_part(spec, "x", index, **which)
    expected = made["x"][(*index, ...)]
    assert part.dtype == expected.dtype
    assert part.shape == expected.shape
    assert part.tolist() == expected.tolist() if part.dtype == object else part.tobytes() == expected.tobytes()


def check_values(leaf: TensorSpec, values: np.ndarray, shape: tuple[int, ...], mask, mask_leaf, dims) -> None:  # noqa: C901, PLR0912, PLR0915 - a case for each rule
    """Assert that an array has the dtype and the shape, and values that the rule allows."""
    assert values.dtype == leaf.dtype.numpy
    assert values.shape == shape
    if not values.size:
        return
    rule, dtype = leaf.values, leaf.dtype
    if dtype == "string":
        options = rule.options if isinstance(rule, Choices) else [rule.value] if isinstance(rule, Constant) else None
        assert all(isinstance(text, str) for text in values.reshape(-1))
        if options is not None:
            assert set(values.reshape(-1).tolist()) <= set(options)
        elif isinstance(rule, Strings) and all(word and " " not in word for word in rule.words):
            assert all(rule.low <= len(text.split()) < rule.high for text in values.reshape(-1))
        return
    if dtype.kind == "complex":
        parts = np.concatenate([values.real.reshape(-1), values.imag.reshape(-1)])
    else:
        parts = values.reshape(-1)
    wide = parts.astype(np.float64) if dtype.kind in ("float", "complex") else parts
    smallest, largest = wide.min(), wide.max()
    assert np.isfinite(float(smallest))
    assert np.isfinite(float(largest))
    smallest, largest = (number.item() if hasattr(number, "item") else number for number in (smallest, largest))
    if dtype.kind not in ("float", "complex"):
        smallest, largest = int(smallest), int(largest)
    match rule:
        case Uniform(low, high):
            assert low <= smallest
            assert largest < high
        case TokenIds() | Labels():
            allowed = {getattr(rule, name) for name in ("pad", "first", "last", "ignore_index") if hasattr(rule, name)}
            allowed |= {run.id for run in getattr(rule, "runs", ())}
            low, gaps = getattr(rule, "low", 0), set(getattr(rule, "gaps", ()))
            assert all(v in allowed or (low <= v < rule.high and v not in gaps) for v in map(int, np.unique(parts)))
            if rule.mask is not None:
                hidden = mask[..., mask.shape[-1] - values.shape[-1] :] == getattr(mask_leaf.values, "pad", 0)
                assert set(np.unique(values[hidden]).tolist()) <= {
                    getattr(rule, "pad", getattr(rule, "ignore_index", None))
                }
        case PaddingMask():
            assert {int(v) for v in np.unique(wide)} <= {0, 1}
            kept = np.sum(values.astype(np.int64) != rule.pad, axis=-1)
            assert kept.min() >= min(rule.least, shape[-1])
        case OneHot():
            assert (np.sum(values.astype(np.float64) == 1, axis=-1) == 1).all()
        case Positions(mask=None) | Range():
            first = rule.start if not isinstance(rule.start, str) else evaluate_size(parse_size(rule.start, dims))
            found = values.reshape(-1)[0]
            assert found == np.array(float(first)).astype(dtype.numpy) if dtype.kind == "float" else int(found) == first
        case Positions() | Grid():
            assert smallest >= 0
            longest = max(*mask.shape, *shape) if mask is not None else max(shape)
            assert largest < longest or dtype.kind == "float"  # of few bits, where whole numbers are rounded
        case Boxes(low, high, layout):
            if layout == "xyxy":
                assert low <= smallest
                assert largest < high
                assert (values[..., 0] <= values[..., 2]).all()
                assert (values[..., 1] <= values[..., 3]).all()
        case Lengths() | Indices() | Columns():
            most = max(rule.highs) - 1 if isinstance(rule, Columns) else 2**63
            assert smallest >= (min(rule.lows, default=0) if isinstance(rule, Columns) else 0)
            assert largest <= most or dtype.kind == "float"
        case Constant(value):
            assert dtype.kind == "complex" or smallest == largest
            assert dtype.kind in ("float", "complex") or smallest == value
        case Choices(options):
            assert dtype.kind in ("float", "complex") or {int(v) for v in np.unique(parts)} <= {int(o) for o in options}


def test_random_rules_are_refused_or_hold_what_they_promise(attack, monkeypatch):
    monkeypatch.setenv("DUMMYIO_MEMORY_BUDGET", str(8 << 20))
    seeds = ((attack.seed, place) for place in range(attack.count(20_000)))
    counts = attack.run((seed, lambda seed=seed: attack_one(seed)) for seed in seeds)
    assert counts["accepted"] > sum(counts.values()) // 20, counts
    assert {"SpecError", "DimError"} <= set(counts)


@pytest.mark.parametrize(
    "rule", [Uniform(), Normal(), Range(), OneHot(), PaddingMask(), Positions(), Boxes(0, 1)], ids=repr
)
@pytest.mark.parametrize("shape", [(0, 2**40, 4), (2**40, 0, 4), (0, 4), (2**50, 0, 1, 4)], ids=str)
def test_shapes_without_elements_are_free(rule, shape):
    spec = InputSpec({"x": TensorSpec("x", shape, "float32", rule)})
    assert spec.feeds()["x"].shape == shape
    assert materialize_part(spec, "x", []).shape == shape
