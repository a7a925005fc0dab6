"""The interface that users of Optimum's generators know."""

import pickle
from types import SimpleNamespace
from typing import ClassVar

import numpy as np
import pytest

from dummyio.backend.registry import load_backend
from dummyio.errors import OptionError
from dummyio.generators.registry import (
    GENERATORS,
    OPTIONS,
    DummyInputGenerator,
    DummyPastKeyValuesGenerator,
    DummyTextInputGenerator,
    DummyVisionInputGenerator,
    build_context,
    generator_for,
)
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Uniform

CONFIG = {"vocab_size": 100, "pad_token_id": 0, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_size": 8}


class TheirNormalizedConfig:
    """Like the normalized configurations of Optimum: own names in capitals, all others of the configuration."""

    VOCAB_SIZE = "n_words"
    NUM_LAYERS = "depth"

    def __init__(self, config):
        self.config = config

    def __getattr__(self, name):
        value = getattr(self.config, getattr(type(self), name.upper(), name), None)
        if value is None:
            raise AttributeError(name)
        return value


@pytest.mark.parametrize("framework", ["np", "pt", "tf", "jax", "ort", "numpy", "torch"])
def test_generate_for_each_framework(framework):
    pytest.importorskip(
        {"pt": "torch", "tf": "tensorflow", "ort": "onnxruntime", "np": "numpy"}.get(framework, framework)
    )
    generator = DummyTextInputGenerator("text-classification", CONFIG, batch_size=3, sequence_length=5)
    values = generator.generate("input_ids", framework=framework, int_dtype="int32", float_dtype="fp16")
    backend = load_backend(framework)
    assert backend.is_tensor(values)
    found = np.asarray(backend.to_numpy(values))
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, generator.generate("input_ids", "np"))


def test_torch_is_the_default():
    torch = pytest.importorskip("torch")
    generator = DummyVisionInputGenerator("x", {"num_channels": 3}, height=40)
    assert generator.generate("pixel_values", float_dtype="bf16").dtype is torch.bfloat16
    cache = DummyPastKeyValuesGenerator("x", CONFIG).generate("past_key_values")
    assert [type(layer) for layer in cache] == [tuple, tuple]
    assert cache[0][0].shape == (2, 2, 8, 4)


def test_the_static_helpers_are_there():
    assert DummyInputGenerator.random_int_tensor([2, 3], 9, framework="np").shape == (2, 3)
    generator = DummyTextInputGenerator("x", CONFIG)
    mask = generator.random_mask_tensor([2, 3], padding_side="left", framework="np")
    assert generator.pad_input_on_dim(mask, dim=1, padding_length=2).shape == (2, 5)


def test_a_normalized_configuration_of_theirs_will_do():
    config = TheirNormalizedConfig(
        SimpleNamespace(n_words=8, depth=3, num_attention_heads=2, hidden_size=8, eos_token_id=3)
    )
    ids = DummyTextInputGenerator("x", config, batch_size=64).spec("input_ids").values
    assert (ids.high, ids.reserved) == (8, (3,))
    assert len(DummyPastKeyValuesGenerator("x-with-past", config).spec("past_key_values")) == 3


def test_an_inputs_values_are_those_that_it_has_in_a_spec():
    generator = DummyTextInputGenerator("x", CONFIG, batch_size=8)
    spec = InputSpec({name: generator.spec(name) for name in ("input_ids", "attention_mask", "position_ids")})
    values = spec.generate("np", seed=3, sample=2)
    for name, expected in values.items():
        np.testing.assert_array_equal(generator.generate(name, "np", seed=3, sample=2), expected)


def test_names_are_whole():
    generator = DummyTextInputGenerator("x", CONFIG)
    assert generator.supports_input("input_ids")
    assert not generator.supports_input("input_ids_2")
    assert not generator.supports_input("mask")
    with pytest.raises(OptionError, match="Did you mean 'input_ids'"):
        generator.generate("input_idz", "np")
    assert DummyPastKeyValuesGenerator("x", CONFIG).supports_input("past_key_values.0.key")


def test_a_generator_of_ones_own():
    class Mine(DummyInputGenerator):
        SUPPORTED_INPUT_NAMES: ClassVar[tuple[str, ...]] = ("noise",)
        OPTIONS: ClassVar[tuple[str, ...]] = ("colour",)

        def describe_noise(self) -> TensorSpec:
            """Noise of a colour."""
            return self.floats("noise", (self.dim("batch_size"), self.option("colour", 3)), Uniform(-1, 1))

    assert Mine("x", {}, batch_size=4, colour=5).generate("noise", "np").shape == (4, 5)


def test_a_generator_changes_nothing_of_its_own():
    generator = DummyTextInputGenerator("x", CONFIG, int_dtype="int16")
    assert generator.generate("input_ids", "np", int_dtype="int32").dtype == np.int32
    assert generator.spec("input_ids").dtype == "int16"


def test_generators_travel():
    generator = pickle.loads(pickle.dumps(DummyTextInputGenerator("x", CONFIG)))
    assert generator.spec("input_ids") == DummyTextInputGenerator("x", CONFIG).spec("input_ids")


@pytest.mark.parametrize("generator", GENERATORS)
def test_a_generator_describes_every_name_that_it_lists(generator):
    assert generator.SUPPORTED_INPUT_NAMES
    assert [name for name in generator.SUPPORTED_INPUT_NAMES if not hasattr(generator, f"describe_{name}")] == []
    assert all(getattr(generator, f"describe_{name}").__doc__ for name in generator.SUPPORTED_INPUT_NAMES)


def test_nobody_describes_what_nobody_knows():
    context = build_context("x", NormalizedConfig(CONFIG), {}, OPTIONS)
    assert generator_for("flux_capacitance", context) is None
    assert generator_for("past_key_values.0.key", context).spec("past_key_values.0.key").sizes() == (2, 2, 8, 4)


def test_names_come_in_the_order_in_which_they_are_described():
    names = DummyTextInputGenerator.SUPPORTED_INPUT_NAMES
    assert names[:4] == ("input_ids", "attention_mask", "encoder_attention_mask", "global_attention_mask")
    assert names[4:7] == ("token_type_ids", "position_ids", "mm_token_type_ids")
