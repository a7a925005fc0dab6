"""Inputs that few models have, and limits of their inputs: what is described runs."""

import pytest

import dummyio
from dummyio.errors import SourceError

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
auto = pytest.importorskip("transformers.models.auto.configuration_auto")

SMALL = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 4}
TEXT = {**SMALL, "vocab_size": 99, "num_key_value_heads": 4, "head_dim": 8}


@pytest.mark.parametrize(
    ("kind", "attributes", "shapes"),
    [
        # The language of each token, where no default language stands in the configuration.
        ("xmod", {**SMALL, "vocab_size": 99}, {"lang_ids": (2, 16)}),
        # How many rows of patches become one token, of each image.
        ("video_llama_3_vision", {**SMALL, "patch_size": 4}, {"merge_sizes": (2,)}),
        # Positions are those of what is left of the frames, so the model counts them.
        (
            "voxtral_realtime_encoder",
            {**TEXT, "num_mel_bins": 8, "max_position_embeddings": 64},
            {"input_features": (2, 8, 3000), "position_ids": None},
        ),
        # Patches of all rows stand one after another, as wide as the model demands.
        (
            "neomme",
            {**TEXT, "head_dim": 32, "patch_size": 8, "layer_types": ["full_attention"]},
            {"pixel_values": (128, 192)},
        ),
    ],
)
def test_what_is_described_runs(kind, attributes, shapes):
    if kind not in auto.CONFIG_MAPPING_NAMES:
        pytest.skip(f"transformers {transformers.__version__} has no {kind}")
    config = transformers.AutoConfig.for_model(kind, **attributes)
    spec = dummyio.describe(config)
    assert {name: spec[name].sizes() if name in spec else None for name in shapes} == shapes
    with torch.no_grad():
        transformers.AutoModel.from_config(config).eval()(**spec.generate("pt"))


def test_tokens_attend_to_images_of_a_mask_that_is_read_unasked():
    spec = dummyio.describe({"model_type": "idefics", "architectures": ["IdeficsModel"]})
    assert spec["image_attention_mask"].sizes() == (2, 16, 1)
    assert spec["pixel_values"].sizes()[:2] == (2, 1)


def test_positions_that_are_brought_to_the_shape_of_a_batch_are_those_of_one():
    spec = dummyio.describe({"model_type": "tvp", "architectures": ["TvpModel"], "num_frames": 3})
    assert spec["pixel_values"].sizes() == (1, 3, 3, 448, 448)


def test_an_image_whose_placeholder_is_no_token_is_left_out_where_the_model_asks_whether_it_is_given():
    assert "pixel_values" not in dummyio.describe({"model_type": "janus", "architectures": ["JanusModel"]})


def test_an_image_that_is_pooled_by_indices_is_left_out():
    assert "pixel_values" not in dummyio.describe({"model_type": "molmo2", "architectures": ["Molmo2Model"]})


def test_an_image_has_as_many_patches_as_the_projector_has_queries_for():
    config = {"model_type": "aria", "architectures": ["AriaModel"], "projector_patch_to_query_dict": {"16": 4}}
    spec = dummyio.describe({**config, "vision_config": {"model_type": "idefics3_vision", "patch_size": 8}})
    assert spec["pixel_values"].sizes()[2:] == (32, 32)


def test_a_vocabulary_may_be_that_of_a_wrapped_model():
    config = {"model_type": "fastspeech2_conformer_with_hifigan", "architectures": ["FastSpeech2ConformerWithHifiGan"]}
    assert dummyio.describe(config)["input_ids"].values.high == 78


def test_a_whole_number_may_be_a_float():
    config = {"model_type": "bert", "architectures": ["BertModel"], "max_position_embeddings": 64.0}
    assert dummyio.describe(config)["input_ids"].shape[1].max == 64
    with pytest.raises(SourceError, match=r"max_position_embeddings=64\.5"):
        dummyio.describe({**config, "max_position_embeddings": 64.5})


def test_a_class_without_a_forward_is_refused():
    with pytest.raises(SourceError, match="GlmImageVQVAE has no forward"):
        dummyio.describe({"model_type": "glm_image_vqmodel", "architectures": ["GlmImageVQVAE"], "image_size": 32})
