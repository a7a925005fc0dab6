"""A model that no rule supports is refused; one of a newer release is described from its attributes, and the spec states it."""

import pytest

import dummyio
from dummyio.errors import SourceError

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"model_type": "foobar", "architectures": ["FoobarModel"]},
            "model type 'foobar' and class 'FoobarModel' .* attributes do not tell",
        ),
        ({"model_type": "foobar", "architectures": ["FoobarForCausalLM"], "vocab_size": 100}, "attributes do not tell"),
        (
            {"model_type": "foobar", "architectures": ["FoobarForImageClassification"], "hidden_size": 8},
            "attributes do not tell",
        ),
        (
            {"model_type": "foobar", "architectures": ["FoobarForQuux"], "vocab_size": 9, "hidden_size": 8},
            "end of the class's name",
        ),
        ({"architectures": ["FoobarModel"]}, "class 'FoobarModel' cannot be described"),
        ({"model_type": "nope"}, "model type 'nope' cannot be described: .* names no class"),
        ({"model_type": "nope", "architectures": []}, "model type 'nope' cannot be described"),
        ({"architectures": []}, "a model without model type and class"),
        ({"something": 1}, "a model without model type and class"),
        ({}, "the configuration is empty"),
    ],
)
def test_what_no_rule_supports_is_refused(config, message):
    with pytest.raises(SourceError, match=message) as raised:
        dummyio.describe(config)
    assert "task=" not in str(raised.value)  # none was asked for
    if len(config) > 1:
        assert "give the model itself (dummyio.describe(model)), or record its calls (dummyio.capture(model))" in str(
            raised.value
        )


def test_a_known_type_names_its_tasks():
    with pytest.raises(SourceError, match=r"Give a task of that type \(.*fill-mask"):
        dummyio.describe({"model_type": "bert", "architectures": ["BertForQuux"]})
    spec = dummyio.describe({"model_type": "bert", "architectures": ["BertForQuux"]}, "fill-mask")
    assert spec.provenance["model"] == "BertForMaskedLM"


@pytest.mark.parametrize(
    ("config", "names"),
    [
        (
            {"architectures": ["FoobarForCausalLM"], "vocab_size": 100, "hidden_size": 8},
            ["input_ids", "attention_mask", "position_ids"],
        ),
        (
            {"architectures": ["FoobarForMaskedLM"], "vocab_size": 9, "d_model": 8, "type_vocab_size": 2},
            ["input_ids", "attention_mask", "token_type_ids"],
        ),
        ({"architectures": ["FoobarForImageClassification"], "image_size": 32, "num_channels": 3}, ["pixel_values"]),
        ({"architectures": ["FoobarModel"], "num_channels": 1, "depths": [2, 2]}, ["pixel_values"]),
        (
            {"architectures": ["FoobarForCTC"], "conv_kernel": [4, 4], "conv_stride": [2, 2], "hidden_size": 8},
            ["input_values"],
        ),
    ],
)
def test_enough_attributes_and_a_known_ending_are_described(config, names):
    spec = dummyio.describe({"model_type": "foobar", **config})
    assert [*spec] == names
    assert "guessed from the configuration's attributes" in spec.provenance["names"]


def test_an_unknown_class_of_diffusers():
    pytest.importorskip("diffusers")
    with pytest.raises(SourceError, match="class FoobarTransformer2DModel: not found in diffusers"):
        dummyio.describe({"_class_name": "FoobarTransformer2DModel", "in_channels": 4, "cross_attention_dim": 8})


def test_a_live_model_that_no_rule_describes_is_described_by_runs():
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")

    class Settings(transformers.PreTrainedConfig):
        model_type = "quux"

    class Decoder(transformers.PreTrainedModel):
        config_class = Settings

        def __init__(self, config):
            super().__init__(config)
            self.table, self.head = torch.nn.Embedding(30, 4), torch.nn.Linear(4, 1)
            self.post_init()

        def forward(self, quantized):
            return self.head(self.table(quantized))

    spec = dummyio.describe(Decoder(Settings()))
    assert str(spec["quantized"].dtype) == "int64"
    assert spec["quantized"].values.high == 30
    assert spec.proof.level == "values"
    with pytest.raises(SourceError, match="none of the arguments quantized"):
        dummyio.describe(Decoder(Settings()), prove="off")


@pytest.mark.parametrize("media", ["image_position_ids", "num_frames_per_video"])
def test_what_is_said_of_media_is_left_out_with_them(media):
    """The defaults of Gemma 4 have no part for images, and its texts no placeholder for videos."""
    transformers = pytest.importorskip("transformers")
    config = {**transformers.Gemma4Config().to_dict(), "architectures": ["Gemma4ForConditionalGeneration"]}
    assert not {media, "pixel_values", "pixel_values_videos"} & set(dummyio.describe(config))


def test_a_live_model_without_weights_and_forward_is_refused():
    transformers = pytest.importorskip("transformers")
    pytest.importorskip("torch")

    class Empty(transformers.PreTrainedModel):
        config_class = transformers.BertConfig

    with pytest.raises(SourceError):
        dummyio.describe(Empty(transformers.BertConfig()))
