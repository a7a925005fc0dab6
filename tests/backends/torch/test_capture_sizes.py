"""Sizes of several recorded calls: what one is of others, and a spec that takes all that was recorded."""

import random

import pytest

torch = pytest.importorskip("torch")

from torch import nn

import dummyio
from dummyio.spec.dims import Dim
from dummyio.values import Lengths


def spec_of(*calls):
    """Record calls of a method with float tensors of these shapes, by name."""

    class Model:
        def predict(self, a=None, b=None, c=None, d=None):
            return a, b, c, d

    model = Model()
    with dummyio.capture(model, "predict") as found:
        for shapes in calls:
            model.predict(**{name: torch.rand(*shape) for name, shape in shapes.items()})
    return found.spec()


def takes(spec, shapes):
    """Whether the spec has these shapes at some sizes of its dims."""
    leaves = dict(spec.leaves)
    sizes = {}
    for path, shape in shapes.items():
        for size, seen in zip(leaves[path].shape, shape, strict=True):
            if isinstance(size, Dim):
                sizes[size.name] = seen
    return spec.shapes(spec.sizes(**sizes)) == {path: tuple(shape) for path, shape in shapes.items()}


RELATIONS = [
    ("a multiple", lambda n: {"a": (2, n), "b": (2, 4 * n)}, {"b": "sequence_length * 4"}),
    ("a constant more", lambda n: {"a": (2, n), "b": (2, n + 3)}, {"b": "sequence_length + 3"}),
    ("a constant without it", lambda n: {"a": (2, n), "b": (2, 64 - n)}, {"b": "-sequence_length + 64"}),
    ("parts of 4", lambda n: {"a": (2, 3 * n), "b": (2, 3 * n // 4)}, {"b": "sequence_length // 4"}),
    ("frames", lambda n: {"a": (2, 5 * n + 1), "b": (2, (5 * n + 1) // 10 + 1)}, {"b": "sequence_length // 10 + 1"}),
    ("twice and one", lambda n: {"a": (2, n), "b": (2, 2 * n + 1)}, {"b": "sequence_length * 2 + 1"}),
]


@pytest.mark.parametrize(("make", "expected"), [each[1:] for each in RELATIONS], ids=[each[0] for each in RELATIONS])
def test_what_a_size_is_of_another(make, expected):
    calls = [make(n) for n in (5, 9, 14, 23)]
    spec = spec_of(*calls)
    assert {name: str(spec[name].shape[1]) for name in expected} == expected
    assert all(takes(spec, call) for call in calls)


def test_a_sum_of_two_and_a_constant():
    calls = [{"a": (2, n), "b": (2, m), "c": (2, n + m + 2)} for n, m in ((3, 9), (4, 7), (8, 2), (5, 5))]
    assert str(spec_of(*calls)["c"].shape[1]).endswith(" + 2")


def test_two_calls_show_no_constant():
    """Any two sizes lie on a line: only a multiple is told from chance."""
    spec = spec_of({"a": (2, 7), "b": (2, 10)}, {"a": (2, 9), "b": (2, 12)})
    assert isinstance(spec["b"].shape[1], Dim)
    spec = spec_of({"a": (2, 7), "b": (2, 21)}, {"a": (2, 9), "b": (2, 27)})
    assert str(spec["b"].shape[1]) == "sequence_length * 3"


def test_a_batch_is_no_part_of_a_size():
    spec = spec_of(*({"a": (n, 3 * n), "b": (n, n + 2)} for n in (2, 3, 5)))
    assert isinstance(spec["a"].shape[0], Dim)
    assert "batch_size" not in str(spec["a"].shape[1])


@pytest.mark.parametrize("seed", range(200))
def test_a_spec_takes_what_was_recorded(seed):
    """Random programs of sizes: hops, multiples, sums, constants, and sizes of their own."""
    draw = random.Random(seed)
    hop, whole = draw.choice([2, 3, 4, 5, 10]), draw.randint(64, 90)
    more = draw.choice([0, 0, 1, draw.randint(0, 4)])
    rules = [
        lambda n, m: n // hop + more,
        lambda n, m: -(-n // hop),
        lambda n, m: n * hop + more,
        lambda n, m: n + m + more,
        lambda n, m: whole - n,
        lambda n, m: n,
        lambda n, m: m * 2,
        lambda n, m: 7,
    ]
    chosen = draw.choice(rules), draw.choice(rules)
    calls = []
    for _ in range(draw.randint(1, 6)):
        batch, n, m = draw.randint(1, 4), draw.randint(1, 60), draw.randint(1, 40)
        calls.append({"a": (batch, n), "b": (m, 3), "c": (batch, chosen[0](n, m)), "d": (chosen[1](n, m),)})
    spec = spec_of(*calls)
    assert all(takes(spec, call) for call in calls), (spec, calls)


class Framed(nn.Module):
    """Sound in frames of four samples: others are refused."""

    def forward(self, audio: torch.Tensor):
        return audio.view(len(audio), -1, 4).mean(-1)


def test_bounds_that_runs_show_hold_what_was_recorded():
    module = Framed()
    with dummyio.capture(module) as calls:
        for length in (16, 8, 64):
            module(torch.rand(2, length))
    length = calls.spec()["audio"].shape[1]
    assert length.min <= 8
    assert length.max is None or length.max >= 64


def test_lengths_that_were_seen_are_those_of_rows():
    class Model:
        def predict(self, features, lengths):
            return features, lengths

    model = Model()
    with dummyio.capture(model, "predict") as calls:
        model.predict(torch.rand(2, 10, 5), torch.tensor([10, 4]))
        model.predict(torch.rand(3, 7, 5), torch.tensor([7, 2, 6]))
    assert calls.spec()["lengths"].values == Lengths("sequence_length")


def test_missing_numbers_are_told_from_a_mask_that_is_added():
    class Model:
        def predict(self, series, mask):
            return series, mask

    model = Model()
    with dummyio.capture(model, "predict") as calls:
        model.predict(torch.tensor([[1.0, float("nan"), 250.0]]), torch.tensor([[0.0, float("-inf"), 0.0]]))
    spec = calls.spec()
    assert (spec["series"].values.low, round(spec["series"].values.high)) == (1, 250)
    assert spec.provenance["input series"] == "seen from 1 to 250; values that were missing (NaN) are not made"
    assert spec.provenance["input mask"] == "a mask that is added: nothing is hidden"
