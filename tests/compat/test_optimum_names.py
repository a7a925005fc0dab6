"""`dummyio.compat.optimum`: Optimum's names, its interface, and an exporter whose generators are replaced and given back."""

import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from dummyio.compat import optimum
from dummyio.errors import DTypeError, NotInstalledError, OptionError

ROWS = json.loads((Path(__file__).parents[1] / "data" / "optimum_generators.json").read_text(encoding="utf-8"))["rows"]
CONFIG = SimpleNamespace(
    vocab_size=50,
    hidden_size=16,
    num_hidden_layers=2,
    num_attention_heads=4,
    num_key_value_heads=2,
    image_size=20,
    num_channels=3,
    is_encoder_decoder=False,
    eos_token_id=2,
)
SHAPES = {
    name: size for name, size in optimum.DEFAULT_DUMMY_SHAPES.items() if name in ("batch_size", "width", "height")
}


@pytest.mark.parametrize("name", sorted({row["optimum"] for row in ROWS}))
def test_each_generator_of_optimum_has_its_name_here(name):
    assert callable(getattr(optimum, name))
    assert name in dir(optimum)


def test_a_generator_has_the_interface():
    generator = optimum.MistralDummyPastKeyValuesGenerator("text-generation-with-past", CONFIG, batch_size=3)
    assert generator.supports_input("past_key_values")
    cache = generator.generate("past_key_values", framework="np", float_dtype="fp16")
    assert [[part.shape for part in layer] for layer in cache] == [[(3, 2, 8, 4)] * 2] * 2
    assert cache[0][0].dtype == np.float16


def test_a_name_with_options_has_them():
    generator = optimum.BartDummyTextInputGenerator("text-classification", CONFIG, batch_size=2)
    ids, mask = (generator.generate(name, framework="np") for name in ("input_ids", "attention_mask"))
    assert (ids[np.arange(2), mask.sum(axis=1) - 1] == CONFIG.eos_token_id).all()


def test_dtypes_have_their_names():
    assert optimum.DTYPE_MAPPER.pt("fp16") is torch.float16
    assert optimum.DTYPE_MAPPER.pt("bf16") is torch.bfloat16
    assert optimum.DTYPE_MAPPER.np("int64") == np.dtype("int64")
    with pytest.raises(DTypeError, match="fp17"):
        optimum.DTYPE_MAPPER.pt("fp17")


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="DummyNothingGenerator"):
        _ = optimum.DummyNothingGenerator


def test_importing_it_loads_no_framework():
    code = "import dummyio.compat.optimum, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"torch", "transformers", "optimum", "onnx"} & set(loaded)


@pytest.fixture
def exporter(monkeypatch):
    """Modules with the names of Optimum's, and configurations with one class in a tuple, by task, and as the class of caches."""

    class DummyTextInputGenerator:
        SUPPORTED_INPUT_NAMES = ("input_ids", "attention_mask")

    class DummyPastKeyValuesGenerator:
        SUPPORTED_INPUT_NAMES = ("past_key_values",)

    class DummySeq2SeqDecoderTextInputGenerator:
        SUPPORTED_INPUT_NAMES = ("decoder_input_ids", "encoder_outputs")

    class DummyVisionInputGenerator:
        SUPPORTED_INPUT_NAMES = ("pixel_values",)

    class DummyVisionEncoderDecoderPastKeyValuesGenerator(DummyPastKeyValuesGenerator):
        pass

    class OfUser:
        SUPPORTED_INPUT_NAMES = ("mine",)

    class OnnxConfig:
        DUMMY_INPUT_GENERATOR_CLASSES = ()

    class Text(OnnxConfig):
        DUMMY_INPUT_GENERATOR_CLASSES = (DummyTextInputGenerator, OfUser, {"default": DummyVisionInputGenerator})
        DUMMY_PKV_GENERATOR_CLASS = DummyPastKeyValuesGenerator

    class Decoder(Text):
        DUMMY_INPUT_GENERATOR_CLASSES = (DummySeq2SeqDecoderTextInputGenerator,)
        DUMMY_PKV_GENERATOR_CLASS = DummyVisionEncoderDecoderPastKeyValuesGenerator

    for name in ("optimum", "optimum.exporters", "optimum.exporters.onnx", "optimum.exporters.onnx.model_configs"):
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    base = ModuleType("optimum.exporters.onnx.base")
    base.OnnxConfig = OnnxConfig
    monkeypatch.setitem(sys.modules, base.__name__, base)
    yield SimpleNamespace(Text=Text, Decoder=Decoder, OfUser=OfUser, text=DummyTextInputGenerator)
    optimum.uninstall()


def test_generators_are_replaced_and_given_back(exporter):
    before = dict(vars(exporter.Text))
    with optimum.installed():
        text, user, by_task = exporter.Text.DUMMY_INPUT_GENERATOR_CLASSES
        assert text is not exporter.text
        assert user is exporter.OfUser  # which Optimum does not have
        generator = by_task["default"]("image-classification", SimpleNamespace(config=CONFIG), **SHAPES)
        assert generator.generate("pixel_values", framework="pt").shape == (
            2,
            3,
            20,
            20,
        )  # defaults replace no configuration
        optimum.install()  # which changes nothing
    assert {name: vars(exporter.Text)[name] for name in before} == before


def test_within_another_installation_it_stays(exporter):
    optimum.install()
    with optimum.installed():
        pass
    assert exporter.Text.DUMMY_INPUT_GENERATOR_CLASSES[0] is not exporter.text
    optimum.uninstall()
    assert exporter.Text.DUMMY_INPUT_GENERATOR_CLASSES[0] is exporter.text


def test_sizes_that_the_exporter_sets_are_used(exporter):
    with optimum.installed():
        generator = exporter.Text.DUMMY_INPUT_GENERATOR_CLASSES[0]("text-generation", SimpleNamespace(config=CONFIG))
        assert generator.supports_input("input_ids")
        assert not generator.supports_input("pixel_values")
        generator.sequence_length, generator.batch_size = 1, 5
        assert generator.generate("input_ids", framework="pt").shape == (5, 1)


def test_a_cache_is_a_list_of_tuples_of_the_length_asked_for(exporter):
    with optimum.installed():
        kind = exporter.Text.DUMMY_PKV_GENERATOR_CLASS
        generator = kind(
            task="text-generation", normalized_config=SimpleNamespace(config=CONFIG), sequence_length=1, batch_size=3
        )
        cache = generator.generate("past_key_values", framework="pt", int_dtype="int64", float_dtype="fp16")
    assert [[tuple(part.shape) for part in layer] for layer in cache] == [[(3, 2, 1, 4)] * 2] * 2
    assert {part.dtype for layer in cache for part in layer} == {torch.float16}


def test_states_of_an_encoder_are_in_a_tuple(exporter):
    config = SimpleNamespace(**{**vars(CONFIG), "is_encoder_decoder": True})
    with optimum.installed():
        generator = exporter.Decoder.DUMMY_INPUT_GENERATOR_CLASSES[0](
            "text2text-generation", SimpleNamespace(config=config)
        )
        states, *rest = generator.generate("encoder_outputs", framework="pt")
    assert states.shape == (2, 16, 16)
    assert rest == [None, None]


@pytest.mark.parametrize(("name", "entries"), [("NormalizedTextConfig", 2), ("NormalizedSeq2SeqConfig", 4)])
def test_the_decoders_own_configuration_says_whether_states_are_cached(exporter, name, entries):
    config = SimpleNamespace(**{**vars(CONFIG), "is_encoder_decoder": True})
    normalized = SimpleNamespace(config=config, DECODER_NORMALIZED_CONFIG_CLASS=type(name, (), {})())
    with optimum.installed():
        cache = exporter.Decoder.DUMMY_PKV_GENERATOR_CLASS("image-to-text", normalized).generate("past_key_values")
    assert {len(layer) for layer in cache} == {entries}


def test_a_window_does_not_shorten_a_cache(exporter):
    config = SimpleNamespace(to_dict=lambda: {**vars(CONFIG), "sliding_window": 4})
    with optimum.installed():
        generator = exporter.Text.DUMMY_PKV_GENERATOR_CLASS("text-generation", SimpleNamespace(config=config))
        assert generator.generate("past_key_values")[0][0].shape == (2, 2, 16, 4)


def test_an_input_that_no_rule_describes_is_an_error(exporter):
    with optimum.installed():
        generator = exporter.Text.DUMMY_INPUT_GENERATOR_CLASSES[0]("fill-mask", SimpleNamespace(config=CONFIG))
        with pytest.raises(OptionError, match="'input_ids_of_mine': no generator describes this input"):
            generator.generate("input_ids_of_mine")


def test_without_optimum_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "optimum.exporters.onnx.base", None)
    with pytest.raises(NotInstalledError, match="pip install optimum-onnx"):
        optimum.install()


NORMALIZED = {
    "GPT2LikeNormalizedTextConfig": ({"n_head": 3, "n_embd": 12}, {"num_attention_heads": 3, "hidden_size": 12}),
    "T5LikeNormalizedTextConfig": ({"num_heads": 3, "d_model": 12}, {"num_attention_heads": 3, "hidden_size": 12}),
    "DistilBertNormalizedTextConfig": ({"n_heads": 3, "dim": 12}, {"num_attention_heads": 3, "hidden_size": 12}),
    "NormalizedSegformerConfig": ({"hidden_sizes": [4, 8], "image_size": 64}, {"hidden_size": 0, "image_size": 64}),
    "Pix2StructNormalizedConfig": (
        {
            "text_config": SimpleNamespace(num_layers=2, num_heads=3),
            "vision_config": SimpleNamespace(num_hidden_layers=5),
        },
        {"decoder_num_layers": 2, "decoder_num_attention_heads": 3, "encoder_num_layers": 5},
    ),
    "SpeechToTextLikeNormalizedTextConfig": (
        {"input_feat_per_channel": 80, "decoder_layers": 2},
        {"input_features_per_channel": 80, "decoder_num_layers": 2},
    ),
}


@pytest.mark.parametrize("name", NORMALIZED)
def test_a_normalized_configuration_reads_the_attributes_of_its_name(name):
    attributes, values = NORMALIZED[name]
    config = getattr(optimum, name)(SimpleNamespace(**attributes))
    assert {key: getattr(config, key) for key in values} == values


def test_a_configuration_of_two_asks_the_encoder_first():
    class Pair(optimum.NormalizedEncoderDecoderConfig):
        ENCODER_NORMALIZED_CONFIG_CLASS = optimum.NormalizedVisionConfig(SimpleNamespace(image_size=20))
        DECODER_NORMALIZED_CONFIG_CLASS = optimum.NormalizedTextConfig(SimpleNamespace(vocab_size=50))

    config = Pair(SimpleNamespace())
    assert (config.image_size, config.vocab_size) == (20, 50)


def test_any_model_type_has_a_normalized_configuration():
    kind = optimum.NormalizedConfigManager.get_normalized_config_class("a-type-of-tomorrow")
    assert kind(SimpleNamespace(n_embd=12)).hidden_size == 12
