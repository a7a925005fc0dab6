"""Sizes that are not sizes, and token ids that are not in the vocabulary, are refused: no other size or id takes their place."""

import json

import numpy as np
import pytest

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.huggingface import describe as huggingface_describe
from dummyio.huggingface.config.class_defaults import configuration_defaults

transformers = pytest.importorskip("transformers")

PAST = "text-generation-with-past"
SMALL = {"vocab_size": 99, "hidden_size": 32, "num_attention_heads": 2, "num_hidden_layers": 2}


def build_config(model_type, architecture, **changes):
    return {"model_type": model_type, "architectures": [architecture], **changes}


@pytest.mark.parametrize("wrong", [-3, 99, 10_000_000])
@pytest.mark.parametrize(
    ("config", "name"),
    [
        (build_config("bart", "BartModel", vocab_size=99), "decoder_start_token_id"),
        (build_config("llava", "LlavaModel", text_config={"model_type": "llama", **SMALL}), "image_token_index"),
        (build_config("chameleon", "ChameleonForConditionalGeneration", **SMALL), "image_token_id"),
        (build_config("splinter", "SplinterModel", **SMALL), "question_token_id"),
    ],
)
def test_a_special_token_that_is_not_in_the_vocabulary(config, name, wrong):
    if name == "image_token_index" and wrong == 99:
        pytest.skip("the default of the class is one after its vocabulary")
    with pytest.raises(SourceError, match=rf"{name}={wrong}\b.*(a token id is a whole number|below the size)"):
        dummyio.describe({**config, name: wrong})


def test_a_start_token_inside_a_part():
    config = build_config(
        "florence2", "Florence2Model", image_token_id=5, text_config={"model_type": "bart", "vocab_size": 99}
    )
    with pytest.raises(SourceError, match=r"text_config\.decoder_start_token_id=-3: a token id"):
        dummyio.describe({**config, "text_config": {**config["text_config"], "decoder_start_token_id": -3}})


def test_minus_one_means_no_token():
    spec = dummyio.describe(build_config("bart", "BartModel", vocab_size=99, decoder_start_token_id=-1))
    assert spec.generate("np")["decoder_input_ids"].min() >= 0


@pytest.mark.parametrize("wrong", [-3, 0, 1.5, 1e99, True, "4"])
@pytest.mark.parametrize("name", ["visual_feat_dim", "visual_pos_dim"])
def test_the_size_of_a_documented_axis(name, wrong):
    with pytest.raises(SourceError, match=rf"{name}=.*(the size of an axis|a whole number)"):
        dummyio.describe(build_config("lxmert", "LxmertModel", **{name: wrong}))


@pytest.mark.parametrize(
    ("model_type", "architecture", "name", "wrong", "task"),
    [
        ("qwen3_5_text", "Qwen3_5ForCausalLM", "linear_num_key_heads", (-3, 0, 1.5), PAST),
        ("deepseek_v3", "DeepseekV3ForCausalLM", "kv_lora_rank", (-3, 0, 1.5), PAST),
        ("deepseek_v3", "DeepseekV3ForCausalLM", "qk_rope_head_dim", (-3, 0, 1.5), PAST),
        ("bert", "BertModel", "max_position_embeddings", (-3, 0, 1.5), None),
        ("bert", "BertModel", "type_vocab_size", (-3, 0, 1.5), None),
        ("gpt2", "GPT2Model", "n_positions", (0, 1.5), None),
        ("canine", "CanineModel", "num_hash_buckets", (0, 1.5), None),
        ("led", "LEDModel", "max_encoder_position_embeddings", (0, 1.5), None),
        ("mm-grounding-dino", "MMGroundingDinoForObjectDetection", "max_text_len", (0, 1.5), None),
        ("mistral", "MistralForCausalLM", "sliding_window", (0, 1.5), PAST),
        ("luke", "LukeModel", "entity_vocab_size", (-3, 0, 1.5), None),
        ("idefics3", "Idefics3Model", "scale_factor", (0, 1.5), None),
        ("cohere2_vision", "Cohere2VisionModel", "downsample_factor", (0, 1.5), None),
    ],
)
def test_sizes_and_limits(model_type, architecture, name, wrong, task):
    for value in wrong:
        with pytest.raises(SourceError, match=rf"{name}={value}: a whole number"):
            dummyio.describe(build_config(model_type, architecture, **{name: value}), task)


@pytest.mark.parametrize("model_type", ["deberta", "deberta-v2"])
def test_a_size_of_zero_that_is_the_default_of_a_class_is_off(model_type):
    assert configuration_defaults(model_type)["type_vocab_size"] == 0
    spec = dummyio.describe({"model_type": model_type, "type_vocab_size": 0})
    assert not spec.generate("np")["token_type_ids"].any()


def test_a_placeholder_after_the_vocabulary_that_a_class_has_as_default():
    """The class refuses such an id, so there is a text alone."""
    spec = dummyio.describe(build_config("llava", "LlavaModel"))
    assert "pixel_values" not in spec
    assert spec.generate("np")["input_ids"].max() < 32000


@pytest.mark.parametrize("task", [None, "feature-extraction"])
def test_a_class_of_another_model_type(task):
    with pytest.raises(SourceError, match=r"'ViTModel'.* is of model type 'vit', and model_type is 'bert'"):
        dummyio.describe(build_config("bert", "ViTModel"), task)


def test_classes_of_a_shared_folder_and_of_unknown_types_are_described():
    for model_type, architecture in (("clip_text_model", "CLIPTextModel"), ("my-llama", "LlamaModel")):
        spec = dummyio.describe(build_config(model_type, architecture, **SMALL))
        assert spec.provenance["model"] == architecture


@pytest.mark.parametrize("model_type", ["bark", "clvp_decoder", "musicgen_decoder", "t5gemma2_text"])
def test_a_type_of_which_no_class_takes_inputs(model_type):
    with pytest.raises(SourceError, match="has the model type, and lists no class of it that takes inputs") as raised:
        dummyio.describe({"model_type": model_type})
    assert "Install the release" not in str(raised.value)


@pytest.mark.parametrize("name", ["ClapAudioModelWithProjection", "MetaClip2VisionModelWithProjection"])
def test_the_ending_of_a_model_with_a_projection(name, monkeypatch):
    monkeypatch.setattr(huggingface_describe, "transformers_version", lambda: None)
    config = {"architectures": [name], "image_size": 32, "num_channels": 3, "patch_size": 8}
    assert dummyio.describe(json.loads(json.dumps(config))).task == "feature-extraction"


@pytest.mark.parametrize("option", ["padding_side", "mask_policy"])
def test_an_option_that_is_an_array(option):
    with pytest.raises(OptionError, match=f"{option}="):
        dummyio.describe(build_config("bert", "BertModel", **SMALL), **{option: np.array([1, 2])})
