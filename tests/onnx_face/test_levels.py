"""The levels for subclassing: configurations as Optimum's users write them, with only the import changed."""

from collections import OrderedDict
from types import SimpleNamespace

import numpy as np
import pytest

import dummyio
import dummyio.generators
import dummyio.onnx
from dummyio.errors import OptionError
from dummyio.generators.optimum_names import OPTIMUM_NAMES
from dummyio.onnx import (
    DEFAULT_DUMMY_SHAPES,
    AudioOnnxConfig,
    ConfigBehavior,
    DummyInputGenerator,
    DummyPastKeyValuesGenerator,
    DummyTextInputGenerator,
    ModelPatcher,
    NormalizedConfig,
    NormalizedSeq2SeqConfig,
    NormalizedTextAndVisionConfig,
    NormalizedTextConfig,
    NormalizedVisionConfig,
    OnnxConfig,
    OnnxConfigWithPast,
    TextAndVisionOnnxConfig,
    TextDecoderOnnxConfig,
    TextEncoderOnnxConfig,
    TextSeq2SeqOnnxConfig,
    UniversalOnnxConfig,
    VisionOnnxConfig,
)
from dummyio.values import Uniform

TINY = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 16, "vocab_size": 50}
DECODER = SimpleNamespace(d_model=8, n_layers=2, n_heads=2, vocab_size=50)
TEXT = {0: "batch_size", 1: "sequence_length"}


class OwnDecoderConfig(TextDecoderOnnxConfig):
    DEFAULT_ONNX_OPSET = 20
    NORMALIZED_CONFIG_CLASS = NormalizedTextConfig.with_args(
        hidden_size="d_model", num_layers="n_layers", num_attention_heads="n_heads"
    )


class LidarGenerator(DummyInputGenerator):
    SUPPORTED_INPUT_NAMES = ("lidar_points",)

    def __init__(self, task, normalized_config, batch_size=DEFAULT_DUMMY_SHAPES["batch_size"], num_points=32, **kwargs):
        self.batch_size, self.num_points, self.width = batch_size, num_points, normalized_config.width

    def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
        shape = [self.batch_size, self.num_points, self.width]
        return self.random_float_tensor(shape, min_value=5, max_value=6, framework=framework, dtype=float_dtype)


class LidarConfig(OnnxConfig):
    DUMMY_INPUT_GENERATOR_CLASSES = (LidarGenerator,)

    @property
    def inputs(self):
        return {"lidar_points": {0: "batch_size", 1: "points"}}

    @property
    def outputs(self):
        return {"boxes": {0: "batch_size"}}


LIDAR = SimpleNamespace(width=4)


def declare(inputs, *generators, base=OnnxConfig):
    """Return a configuration class that declares these inputs."""
    members = {"inputs": property(lambda self: inputs), "DUMMY_INPUT_GENERATOR_CLASSES": generators}
    return type("Declared", (base,), members)


def test_a_decoder_has_the_names_and_axes_of_optimum():
    config = OwnDecoderConfig.with_past(DECODER, task="text-generation")
    past, total = "past_sequence_length", "past_sequence_length + sequence_length"
    names = [f"{layer}.{part}" for layer in range(2) for part in ("key", "value")]
    assert (config.task, config.use_past, config.DEFAULT_ONNX_OPSET) == ("text-generation", True, 20)
    assert config.inputs == {
        "input_ids": TEXT,
        "attention_mask": {0: "batch_size", 1: total},
        **{f"past_key_values.{name}": {0: "batch_size", 2: past} for name in names},
    }
    assert config.outputs == {"logits": TEXT, **{f"present.{name}": {0: "batch_size", 2: total} for name in names}}
    assert config.spec.dynamic_axes() == config.inputs
    assert [output.name for output in config.spec.outputs] == list(config.outputs)
    assert config.spec["past_key_values"][1]["key"].shape[1::2] == (2, 4)


def test_a_cache_may_be_an_output_alone():
    first = OwnDecoderConfig(DECODER, "text-generation", use_past=True)
    assert list(first.inputs) == ["input_ids", "attention_mask"]
    assert [name for name in first.outputs if name.startswith("present")] == [
        f"present.{layer}.{part}" for layer in range(2) for part in ("key", "value")
    ]
    assert list(OwnDecoderConfig(DECODER, "text-generation").outputs) == ["logits"]
    assert OwnDecoderConfig(DECODER, "text-generation-with-past").inputs == first.with_past().inputs


def test_an_own_cache_and_own_axes():
    class Transposed(DummyPastKeyValuesGenerator):
        def generate(self, input_name, framework="pt", int_dtype="int64", float_dtype="fp32"):
            size = self.hidden_size // self.num_attention_heads
            key = (self.batch_size, self.num_attention_heads, size, self.sequence_length)
            value = (self.batch_size, self.num_attention_heads, self.sequence_length, size)
            make = self.random_float_tensor
            return [(make(key, framework=framework), make(value, framework=framework)) for _ in range(self.num_layers)]

    class Config(OwnDecoderConfig):
        DUMMY_INPUT_GENERATOR_CLASSES = (Transposed, *TextDecoderOnnxConfig.DUMMY_INPUT_GENERATOR_CLASSES)
        DUMMY_PKV_GENERATOR_CLASS = Transposed

        def add_past_key_values(self, inputs_or_outputs, direction):
            name, length = ("past_key_values", "past_sequence_length")
            if direction == "outputs":
                name, length = "present", "past_sequence_length + sequence_length"
            for layer in range(self._normalized_config.num_layers):
                inputs_or_outputs[f"{name}.{layer}.key"] = {0: "batch_size", 3: length}
                inputs_or_outputs[f"{name}.{layer}.value"] = {0: "batch_size", 2: length}

    spec = Config.with_past(DECODER, task="text-generation").spec
    assert str(spec["past_key_values"][0]["key"]) == "float32[batch_size, 2, 4, past_sequence_length] Uniform()"
    assert str(spec["past_key_values"][0]["value"]) == "float32[batch_size, 2, past_sequence_length, 4] Uniform()"
    shapes = spec.shapes(spec.sizes(past_sequence_length=5, batch_size=3))
    assert shapes["past_key_values.1.key"] == (3, 2, 4, 5)
    assert shapes["attention_mask"] == (3, 21)


def test_a_generator_of_its_own_and_a_declared_symbol():
    config = LidarConfig(LIDAR)
    assert str(config.spec["lidar_points"]).startswith("float32[batch_size, points, 4] Uniform(low=5.0")
    assert config.outputs == {"boxes": {0: "batch_size"}}
    assert [output.name for output in config.spec.outputs] == ["boxes"]
    assert config.get_dynamic_axes() == {"lidar_points": {0: "batch_size", 1: "points"}, "boxes": {0: "batch_size"}}


@pytest.mark.parametrize(
    ("sizes", "shape"),
    [({}, (2, 32, 4)), ({"batch_size": 5}, (5, 32, 4)), ({"num_points": 9}, (2, 9, 4)), ({"points": 7}, (2, 7, 4))],
)
def test_sizes_have_the_names_of_generator_and_declaration(sizes, shape):
    made = LidarConfig(LIDAR).generate_dummy_inputs("np", **sizes)["lidar_points"]
    assert made.shape == shape
    assert LidarConfig(LIDAR, **sizes).generate_dummy_inputs("np")["lidar_points"].shape == shape


def test_a_size_that_neither_has_is_refused():
    with pytest.raises(
        OptionError, match=r"num_pionts=3: no dim of lidar_points has that name\. Did you mean 'num_points'"
    ):
        LidarConfig(LIDAR).generate_dummy_inputs("np", num_pionts=3)


def test_the_values_are_made_by_rules_unless_the_hook_is_overridden():
    class Hooked(LidarConfig):
        def overwrite_shape_and_generate_input(self, dummy_input_gen, input_name, framework, input_shapes):
            assert isinstance(dummy_input_gen, LidarGenerator)
            assert (dummy_input_gen.batch_size, input_shapes) == (4, {"batch_size": 4})
            dummy_input_gen.num_points = 3
            return super().overwrite_shape_and_generate_input(dummy_input_gen, input_name, framework, input_shapes)

    plain = LidarConfig(LIDAR)
    made = plain.generate_dummy_inputs("np", seed=1)["lidar_points"]
    assert np.array_equal(made, plain.spec.generate("np", seed=1)["lidar_points"])
    assert not np.array_equal(made, plain.generate_dummy_inputs("np", seed=2)["lidar_points"])
    hooked = Hooked(LIDAR).generate_dummy_inputs("np", batch_size=4)["lidar_points"]
    assert hooked.shape == (4, 3, 4)
    assert 5 <= hooked.min() < hooked.max() < 6


def test_the_hook_gets_the_spec_for_inputs_that_are_described():
    class Hooked(OwnDecoderConfig):
        def overwrite_shape_and_generate_input(self, dummy_input_gen, input_name, framework, input_shapes):
            if self.use_past_in_inputs and input_name == "input_ids":
                dummy_input_gen.sequence_length = 1
            return super().overwrite_shape_and_generate_input(dummy_input_gen, input_name, framework, input_shapes)

    made = Hooked(DECODER, "text-generation-with-past").generate_dummy_inputs("np")
    assert made["input_ids"].shape == (2, 1)


def test_a_dict_of_tasks_chooses_a_generator():
    class Low(DummyTextInputGenerator):
        def describe_input_ids(self):
            return self.ints("input_ids", self.shape, Uniform(0, 3))

    kind = declare({"input_ids": TEXT}, {"fill-mask": Low, "default": DummyTextInputGenerator})
    assert kind(TINY, "fill-mask").spec["input_ids"].values == Uniform(0, 3)
    assert kind(TINY, "feature-extraction").spec["input_ids"].values != Uniform(0, 3)
    with pytest.raises(OptionError, match=r"no generator for task='feature-extraction' and no 'default'\."):
        declare({"input_ids": TEXT}, {"fill-mask": Low})(TINY).spec  # noqa: B018


def test_a_class_without_inputs_has_those_that_are_described():
    class Config(TextEncoderOnnxConfig):
        NORMALIZED_CONFIG_CLASS = NormalizedTextConfig

    values = {"model_type": "bert", "type_vocab_size": 2, **TINY}
    config = Config(values, "fill-mask")
    assert config.spec == dummyio.describe(values, task="fill-mask")
    assert config.inputs == config.spec.dynamic_axes()

    class More(Config):
        @property
        def inputs(self):
            return {**super().inputs, "lidar_points": {0: "batch_size"}}

        DUMMY_INPUT_GENERATOR_CLASSES = (LidarGenerator,)

    more = More({**values, "width": 4}, "fill-mask")
    assert list(more.spec) == ["input_ids", "attention_mask", "token_type_ids", "lidar_points"]
    assert str(more.spec["lidar_points"]).startswith(
        "float32[batch_size, 32, 4]"
    )  # an axis that is not declared is static


def test_a_subclass_of_the_universal_configuration_may_declare_too():
    class Config(UniversalOnnxConfig):
        @property
        def inputs(self):
            return {name: axes for name, axes in super().inputs.items() if name != "token_type_ids"}

    config = Config({"model_type": "bert", **TINY}, task="fill-mask")
    assert config.get_input_names() == list(config.spec) == ["input_ids", "attention_mask"]


def test_levels_of_other_modalities():
    image = {"model_type": "vit", "image_size": 32, "patch_size": 16, "num_channels": 3, "hidden_size": 8}
    vision = type("Vision", (VisionOnnxConfig,), {"NORMALIZED_CONFIG_CLASS": NormalizedVisionConfig})
    assert list(vision(image, "image-classification").spec) == ["pixel_values"]
    declared = declare({"pixel_values": {0: "batch_size", 2: "height"}}, base=vision)(image).spec
    assert str(declared["pixel_values"]) == "float32[batch_size, 3, height, 32] Uniform(low=-1)"
    sound = type("Sound", (AudioOnnxConfig,), {})({"model_type": "own"}, "audio-classification")
    assert sound.inputs == {"input_values": TEXT}
    assert sound.spec.sizes()["sequence_length"] == DEFAULT_DUMMY_SHAPES["audio_sequence_length"]
    both = SimpleNamespace(
        text_config=SimpleNamespace(**TINY), vision_config=SimpleNamespace(image_size=32, num_channels=3)
    )
    inputs = {"input_ids": {0: "text_batch_size", 1: "sequence_length"}, "pixel_values": {0: "image_batch_size"}}
    mixed = declare(inputs, base=TextAndVisionOnnxConfig)
    mixed.DUMMY_INPUT_GENERATOR_CLASSES = TextAndVisionOnnxConfig.DUMMY_INPUT_GENERATOR_CLASSES
    mixed.NORMALIZED_CONFIG_CLASS = NormalizedTextAndVisionConfig
    spec = mixed(both).spec
    assert spec["input_ids"].shape[0].name == "text_batch_size"
    assert str(spec["pixel_values"]).startswith("float32[image_batch_size, 3, 32, 32]")


class Seq2SeqConfig(TextSeq2SeqOnnxConfig):
    NORMALIZED_CONFIG_CLASS = NormalizedSeq2SeqConfig.with_args(
        hidden_size="d_model",
        num_layers="num_layers",
        encoder_num_layers="num_layers",
        decoder_num_layers="num_decoder_layers",
        num_attention_heads="num_heads",
        encoder_num_attention_heads="num_heads",
        decoder_num_attention_heads="num_heads",
        key_value_dim="d_kv",
        allow_new=True,
    )


T5 = {"d_model": 8, "d_kv": 4, "d_ff": 16, "num_layers": 1, "num_decoder_layers": 1, "num_heads": 2, "vocab_size": 50}


def test_parts_of_an_encoder_and_decoder():
    whole = Seq2SeqConfig(SimpleNamespace(**T5), "text2text-generation", use_past=True, use_past_in_inputs=True)
    assert list(whole.spec) == ["input_ids", "attention_mask", "decoder_input_ids", "past_key_values"]
    assert list(whole.outputs) == ["logits", "present.0.decoder.key", "present.0.decoder.value"]
    encoder = whole.with_behavior("encoder")
    assert list(encoder.spec) == ["input_ids", "attention_mask"]
    assert encoder.outputs == {"last_hidden_state": {0: "batch_size", 1: "encoder_sequence_length"}}
    decoder = whole.with_behavior(ConfigBehavior.DECODER, use_past=True)
    assert list(decoder.inputs) == ["encoder_outputs", "attention_mask", "decoder_input_ids"]
    assert list(decoder.outputs)[1:] == [
        f"present.0.{side}.{part}" for side in ("decoder", "encoder") for part in ("key", "value")
    ]
    assert decoder.torch_to_onnx_input_map["encoder_outputs"] == "encoder_hidden_states"
    with pytest.raises(OptionError, match=r"behavior='decodr' is unknown\. Did you mean 'decoder'"):
        whole.with_behavior("decodr")


def test_real_models_take_the_inputs():
    transformers, torch = pytest.importorskip("transformers"), pytest.importorskip("torch")
    made = transformers.T5Config(**T5, decoder_start_token_id=0)
    model = transformers.T5ForConditionalGeneration(made).eval()
    config = Seq2SeqConfig(made, "text2text-generation-with-past")
    with torch.no_grad():
        out = model(**config.generate_dummy_inputs("pt", batch_size=3, past_decoder_sequence_length=5))
        assert out.logits.shape == (3, 16, 50)

        encoder = transformers.BertModel(transformers.BertConfig(**TINY)).eval()
        inputs = {"input_ids": TEXT, "attention_mask": TEXT}
        config = declare(inputs, DummyTextInputGenerator)(encoder)  # a live model has the configuration
        assert encoder(**config.generate_dummy_inputs("pt")).last_hidden_state.shape == (2, 16, 8)


class Half(ModelPatcher):
    def __init__(self, config, model, model_kwargs=None):
        super().__init__(config, model, model_kwargs)
        self.patched_forward = lambda *arguments, **keywords: self.orig_forward(*arguments, **keywords) / 2


def test_a_patcher_is_entered():
    torch = pytest.importorskip("torch")

    class Config(LidarConfig):
        _MODEL_PATCHER = Half

    model, x = torch.nn.Identity(), torch.ones(2)
    with Config(LIDAR).patch_model_for_export(model) as patched:
        assert isinstance(patched, Half)
        assert model(x).tolist() == [0.5, 0.5]
    assert model(x).tolist() == [1, 1]
    assert "forward" not in vars(model)


def test_arguments_of_every_call_are_given_by_the_patcher():
    class Model:
        def forward(self, x, scale=1):
            return x * scale

    class Config(LidarConfig):
        _MODEL_PATCHER = ModelPatcher

    model = Model()
    with Config(LIDAR).patch_model_for_export(model, {"scale": 3}):
        assert model.forward(2) == 6
    assert model.forward(2) == 2
    with (
        pytest.raises(OptionError, match=r"model_kwargs=\{'scale': 3\}"),
        LidarConfig(LIDAR).patch_model_for_export(model, {"scale": 3}),
    ):
        pass


def test_names_of_a_cache_are_flat_in_a_file():
    config = OwnDecoderConfig(DECODER, "text-generation-with-past")
    flat = config.flatten_output_collection_property("past_key_values", [(1, 2), (3, 4)])
    assert flat == {
        "past_key_values.0.key": 1,
        "past_key_values.0.value": 2,
        "past_key_values.1.key": 3,
        "past_key_values.1.value": 4,
    }
    assert config.flatten_output_collection_property("hidden", [1, (2, 3)]) == {
        "hidden.0": 1,
        "hidden.1": 2,
        "hidden.2": 3,
    }


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        (
            {"input_ids": {2: "sequence_length"}},
            r"declares axis 2 of input_ids, .*of rank 2: axes are numbered from 0 to 1",
        ),
        ({"input_ids": TEXT, "colour": TEXT}, r"no generator describes the input 'colour'\. Add one"),
        (
            {"lidar_points": {0: "points", 2: "points"}},
            r"the symbol points is 2 on axis 0 of lidar_points, and 4 on axis 2",
        ),
        (
            {"past_key_values.0.key": {0: "batch_size"}},
            r"the generator describes past_key_values\.0\.value, and Declared declares none",
        ),
        (
            {f"past_key_values.{n}.{part}": {0: "batch_size"} for n in range(3) for part in ("key", "value")},
            r"Declared declares past_key_values\.2\.key, and the generator describes none.*6 declared, 4 described",
        ),
        ({"input_ids": {0: "batch size"}}, r"axis 0 of input_ids: dimension 'batch size'"),
        ({"input_ids": {0: "batch_size / 2"}}, r"axis 0 of input_ids: dimension 'batch_size / 2'"),
        ({"input_ids": ["batch_size"]}, r"Declared\.inputs is .*: it must be a dict of names to axes"),
        ({}, r"Declared\.inputs is a dict of 0 items: it must be a dict"),
        ([], r"Declared\.inputs is \[\]: it must be a dict"),
    ],
)
def test_a_declaration_that_contradicts_its_generators_is_refused(inputs, reason):
    kind = declare(inputs, LidarGenerator, base=OnnxConfigWithPast)
    with pytest.raises(OptionError, match=rf"Declared.*{reason}|{reason}"):
        kind(SimpleNamespace(width=4, **TINY)).spec  # noqa: B018


@pytest.mark.parametrize(
    "method", ["_create_dummy_input_generator_classes", "post_process_exported_models", "fix_dynamic_axes"]
)
def test_a_method_that_nothing_calls_is_refused(method):
    kind = type("Config", (LidarConfig,), {method: lambda self: None})
    with pytest.raises(OptionError, match=rf"^Config overrides {method}, which nothing calls here"):
        kind(LIDAR)


def test_wrong_arguments_are_refused():
    with pytest.raises(OptionError, match=r"^task='text-genration' is unknown\. Did you mean 'text-generation'"):
        OwnDecoderConfig(DECODER, "text-genration")
    with pytest.raises(OptionError, match=r"^use_past_in_inputs=True with use_past=False"):
        OwnDecoderConfig(DECODER, "text-generation", use_past_in_inputs=True)
    with pytest.raises(OptionError, match=r"^direction='input': give 'inputs' or 'outputs'"):
        OwnDecoderConfig(DECODER, "text-generation").add_past_key_values({}, "input")
    with pytest.raises(OptionError, match=r"^LidarConfig has no past: derive it from OnnxConfigWithPast"):
        LidarConfig.with_past(LIDAR)
    with pytest.raises(OptionError, match=r"NormalizedTextConfig has no nun_layers\. Did you mean 'num_layers'"):
        NormalizedTextConfig.with_args(nun_layers="n")


def test_a_variant_is_one_of_the_class():
    kind = type("Config", (LidarConfig,), {"VARIANTS": {"fast": "", "exact": ""}, "DEFAULT_VARIANT": "exact"})
    assert kind(LIDAR).variant == "exact"
    kind.DEFAULT_VARIANT = "exakt"
    with pytest.raises(OptionError, match=r"variant='exakt'\. Did you mean 'exact'"):
        kind(LIDAR)


def test_axes_may_be_an_ordered_dict_and_dtypes_are_followed():
    kind = declare(OrderedDict(input_ids=OrderedDict(TEXT), lidar_points={}), LidarGenerator)
    spec = kind(SimpleNamespace(width=4, **TINY), int_dtype="int32", float_dtype="fp16").spec
    assert (spec["input_ids"].dtype, spec["lidar_points"].dtype) == ("int32", "float16")
    assert spec["lidar_points"].shape == (2, 32, 4)


def test_names_of_optimum_are_found():
    for name, ours in OPTIMUM_NAMES.items():
        assert getattr(dummyio.onnx, name) is getattr(dummyio.generators, ours)
    assert dummyio.onnx.DummyVisionInputGenerator is dummyio.generators.DummyVisionInputGenerator
    assert dummyio.onnx.NormalizedConfig is NormalizedConfig
    with pytest.raises(AttributeError, match=r"module 'dummyio\.onnx' has no attribute 'BertOnnxConfig'"):
        dummyio.onnx.BertOnnxConfig  # noqa: B018


def test_normalized_configurations():
    inner = SimpleNamespace(width=SimpleNamespace(value=5))
    config = SimpleNamespace(blocks=3, dim=8, text_config=inner)
    kind = NormalizedTextConfig.with_args(num_layers="blocks", width="text_config.width.value", allow_new=True)
    normalized = kind(config)
    assert (normalized.num_layers, normalized.hidden_size, normalized.width) == (
        3,
        8,
        5,
    )  # dim is one of the usual names
    assert normalized.config is config
    assert (normalized.VOCAB_SIZE, normalized.has_attribute("vocab_size")) == ("vocab_size", False)
    assert type("Own", (NormalizedTextConfig,), {"NUM_LAYERS": "blocks"})(config).num_layers == 3
