"""Recorded calls as a source."""

import pytest

torch = pytest.importorskip("torch")

import torch_modules as zoo
from torch import nn

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.spec.values import Constant, PaddingMask, Positions, TokenIds


def runs(module, spec):
    with torch.no_grad():
        for sizes in ({}, *spec.probes()):
            module(**spec.generate("pt", **sizes))


def recorded(module, *calls, **named):
    module.eval()
    with torch.no_grad(), dummyio.capture(module) as found:
        for call in calls:
            module(*call, **named)
    return found


def test_axes_that_varied_are_symbols():
    module = zoo.Optional()
    ids = [torch.randint(0, 20, shape) for shape in ((2, 5), (3, 9), (4, 4))]
    calls = [
        (each, (torch.arange(each.shape[1]) < torch.tensor([[3]] + [[9]] * (len(each) - 1))).long()) for each in ids
    ]
    calls = recorded(module, *calls)
    assert len(calls) == 3
    spec = calls.spec()
    batch, length = spec["input_ids"].shape
    assert (batch.name, length.name) == ("batch_size", "sequence_length")
    assert spec["attention_mask"].shape == (batch, length)
    assert spec["attention_mask"].values == PaddingMask("right")
    assert spec["input_ids"].values == TokenIds(20, mask="attention_mask")
    runs(module, spec)


def test_one_call_varies_where_the_module_lets_it():
    module = zoo.Convolutional()
    spec = recorded(module, (torch.rand(2, 3, 32, 40),)).spec()
    batch, channels, height, width = spec["x"].shape
    assert (batch.size, channels, height.size, width.size) == (2, 3, 32, 40)
    assert height.min == 3
    assert 0 <= spec["x"].values.low < spec["x"].values.high <= 1.001
    runs(module, spec)
    spec = recorded(zoo.Digits(), (torch.rand(2, 1, 28, 28),)).spec()
    _, channels, height, _ = spec["x"].shape
    assert (channels, height.min, height.max) == (1, 28, 31)


def test_nests():
    batch = {"features": torch.rand(3, 6), "category": torch.randint(0, 9, (3,))}
    module = zoo.FromDict()
    spec = recorded(module, (batch,), ({name: value[:2] for name, value in batch.items()},)).spec()
    assert spec["batch"].kind == "dict"
    assert str(spec["batch"]["category"]) == "int64[batch_size] Uniform(high=9)"
    runs(module, spec)
    module = zoo.FromTuple()
    state = (torch.zeros(2, 3, 8), torch.zeros(2, 3, 8))
    spec = recorded(module, (torch.rand(3, 5, 6), state)).spec()
    assert spec["state"].kind == "tuple"
    assert spec["state"]["0"].values == Constant(0)
    runs(module, spec)


class Cached(nn.Module):
    def forward(self, input_ids, attention_mask, past_key_values, position_ids):
        return attention_mask


def test_a_past_and_what_is_as_long_as_both():
    pytest.importorskip("transformers")
    from dummyio_torch.calling.transformers_cache import build_cache

    module = Cached()
    with dummyio.capture(module) as calls:
        for batch, past, new in ((2, 5, 3), (3, 9, 4)):
            layers = [(torch.rand(batch, 4, past, 8), torch.rand(batch, 4, past, 8)) for _ in range(2)]
            module(
                torch.ones(batch, new, dtype=torch.int64),
                attention_mask=torch.ones(batch, past + new, dtype=torch.int64),
                past_key_values=build_cache(layers),
                position_ids=torch.arange(past, past + new).expand(batch, new),
            )
    spec = calls.spec()
    assert spec["past_key_values"].kind == "cache"
    assert str(spec["attention_mask"].shape[1]) == "past_sequence_length + sequence_length"
    assert spec["attention_mask"].values == PaddingMask(policy="full")
    assert spec["position_ids"].values == Positions(start="past_sequence_length")
    assert dict(spec.leaves)["past_key_values.1.value"].shape[1:2] == (4,)
    assert spec.generate("pt", past_sequence_length=7)["past_key_values"].get_seq_length() == 7


def test_switches_are_kept_out_and_said():
    spec = recorded(zoo.Repeated(), (torch.rand(2, 6), 3)).spec()
    assert list(spec) == ["x"]
    assert "3 in every call" in spec.provenance["argument steps"]


def test_a_method_of_anything():
    class Plain:
        def predict(self, x, *, scale=1.0):
            return x * scale

    model = Plain()
    with dummyio.capture(model, "predict") as calls:
        model.predict(torch.rand(2, 3), scale=2.0)
        model.predict(torch.rand(4, 3))
    assert "predict" not in vars(model)
    spec = calls.spec()
    assert [str(size) for size in spec["x"].shape] == ["batch_size", "3"]
    assert (spec.dims["batch_size"].min, spec.dims["batch_size"].max) == (2, 4)


def test_nothing_of_the_module_changes():
    module = zoo.Remembering()
    hooks = dict(module._forward_pre_hooks)
    calls = recorded(module, (torch.rand(3, 4),))
    assert module._forward_pre_hooks == hooks
    history = len(module.history)
    calls.spec()
    assert len(module.history) == history


def test_no_calls_are_an_error():
    with pytest.raises(SourceError, match="no call"):
        recorded(zoo.Perceptron()).spec()


def test_calls_that_do_not_agree_are_an_error():
    ids = torch.ones(2, 3, dtype=torch.int64)
    with pytest.raises(SourceError, match=r"different inputs.*attention_mask"):
        recorded(zoo.Optional(), (ids,), (ids, ids)).spec()
    with pytest.raises(SourceError, match=r"float32\[3, 10\] in call 1 and float32\[2, 3, 10\] in call 2"):
        recorded(zoo.Perceptron(), (torch.rand(3, 10),), (torch.rand(2, 3, 10),)).spec()


@pytest.mark.parametrize(("model", "method"), [(3, None), (object(), "predict"), (print, None)])
def test_what_cannot_be_recorded_is_an_error(model, method):
    with pytest.raises(OptionError, match=r"cannot be recorded|name the method"):
        dummyio.capture(model, method)


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_mask_of_what_is_hidden(side):
    x, hidden = torch.rand(3, 6, 8), torch.zeros(3, 6, dtype=torch.bool)
    hidden[1, 4:] = hidden[2, 1:] = True
    spec = recorded(zoo.Hidden(), (x, hidden if side == "right" else hidden.flip(-1))).spec()
    assert spec["ignored"].values == PaddingMask(side, pad=1)


def test_a_mask_that_hid_nothing():
    spec = recorded(zoo.Hidden(), (torch.rand(3, 6, 8), torch.zeros(3, 6, dtype=torch.bool))).spec()
    assert spec["ignored"].values == PaddingMask(policy="full", pad=1)
