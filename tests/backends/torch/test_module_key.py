"""A module is probed once for its class and configuration, and again for every other one."""

from dataclasses import dataclass
from types import SimpleNamespace

import pytest

torch = pytest.importorskip("torch")

import torch_modules as zoo
from torch import nn

import dummyio
from dummyio_torch.description import describe_module as source
from dummyio_torch.description.module_key import module_key
from dummyio_torch.discovery.runs.layout_trial import LayoutTrial


class Folding(nn.Module):
    """Takes as many columns as its settings say, which no weight shows."""

    def __init__(self, settings):
        super().__init__()
        self.settings = settings

    def forward(self, x):
        held = self.settings
        rows = held["rows"] if isinstance(held, dict) else held if isinstance(held, int) else held.rows
        return x.reshape(-1, rows, 4).sum(1)


@dataclass
class Settings:
    rows: int


class Unwritable:
    __slots__ = ("rows",)

    def __init__(self, rows):
        self.rows = rows


@pytest.fixture
def count(monkeypatch):
    """How often a module was run for a description."""
    source._CACHE.clear()
    runs = []
    original = LayoutTrial.run
    monkeypatch.setattr(LayoutTrial, "run", lambda self, *a, **k: (runs.append(1), original(self, *a, **k))[1])
    yield lambda: len(runs)
    source._CACHE.clear()


@pytest.mark.parametrize("name", ["Tagger", "Translator", "Denoiser", "Convolutional"])
def test_a_second_module_of_a_class_is_not_probed(name, count):
    first = dummyio.describe(getattr(zoo, name)())
    before = count()
    assert before
    assert dummyio.describe(getattr(zoo, name)()) == first
    assert count() == before


@pytest.mark.parametrize("kind", [int, Settings, lambda rows: {"rows": rows}, lambda rows: SimpleNamespace(rows=rows)])
def test_other_settings_are_another_module(kind):
    keys = [module_key(Folding(kind(rows))) for rows in (3, 3, 5)]
    assert keys[0] is not None
    assert keys[0] == keys[1] != keys[2]


def test_what_cannot_be_written_down_is_probed_each_time(count):
    assert module_key(Folding(Unwritable(3))) is None
    sizes = []
    for rows in (3, 5):
        before = count()
        sizes.append(dummyio.describe(Folding(Unwritable(rows)))["x"].shape)
        assert count() > before
    assert sizes[0] != sizes[1]


def test_other_options_are_another_description(count):
    module = zoo.Hidden()
    left, right = (dummyio.describe(module, padding_side=side)["ignored"].values.side for side in ("left", "right"))
    assert (left, right) == ("left", "right")


def test_another_forward_is_another_module(monkeypatch):
    module = zoo.Perceptron()
    before = module_key(module)
    monkeypatch.setattr(zoo.Perceptron, "forward", lambda self, x: x)
    assert module_key(module) != before


def test_the_cache_stays_small(monkeypatch, count):
    monkeypatch.setattr(source, "_MAX_CACHED", 2)
    for width in (3, 4, 5, 6):
        dummyio.describe(nn.Linear(width, 2))
        assert len(source._CACHE) <= 2


def test_a_configuration_whose_layers_differ_has_a_key():
    """Such a configuration refuses to give an attribute that layers have of their own."""
    transformers = pytest.importorskip("transformers")
    sizes = {"hidden_size": 16, "intermediate_size": 16, "vocab_size": 64, "head_dim": 8, "global_head_dim": 16}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "num_kv_shared_layers": 0}
    layers = ["sliding_attention", "full_attention"]
    extra = {"vocab_size_per_layer_input": 64, "hidden_size_per_layer_input": 4}
    config = transformers.Gemma4TextConfig(num_hidden_layers=2, layer_types=layers, **sizes, **heads, **extra)
    model = transformers.Gemma4ForCausalLM(config)
    assert module_key(model, {}, {}) is not None
