"""Models of images, sounds and text: what is made runs, at two sizes, and is the same from a configuration alone."""

import pytest
import tiny_configs

import dummyio

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {**tiny_configs.TEXT, "num_key_value_heads": 2, "pad_token_id": 0}
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "image_size": 16,
    "patch_size": 4,
}
PACKED = {"depth": 2, "hidden_size": 32, "num_heads": 4, "patch_size": 14, "intermediate_size": 37}
ROPE = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 1, 1]}
SOUND = {
    "d_model": 32,
    "encoder_layers": 2,
    "encoder_attention_heads": 4,
    "encoder_ffn_dim": 37,
    "num_mel_bins": 16,
    "max_source_positions": 30,
}

CASES = {
    "LlavaForConditionalGeneration": (
        "LlavaConfig",
        {
            "text_config": {"model_type": "llama", **TEXT},
            "vision_config": {"model_type": "clip_vision_model", **VISION},
            "image_token_index": 7,
        },
    ),
    "LlavaNextForConditionalGeneration": (
        "LlavaNextConfig",
        {
            "text_config": {"model_type": "llama", **TEXT},
            "vision_config": {"model_type": "clip_vision_model", **VISION},
            "image_token_index": 7,
            "image_grid_pinpoints": [[16, 32], [32, 32]],
            "vision_feature_layer": -1,
        },
    ),
    "PaliGemmaForConditionalGeneration": (
        "PaliGemmaConfig",
        {
            "text_config": {"model_type": "gemma", **TEXT, "head_dim": 8},
            "vision_config": {"model_type": "siglip_vision_model", **VISION},
            "projection_dim": 32,
            "image_token_index": 7,
        },
    ),
    "Gemma3ForConditionalGeneration": (
        "Gemma3Config",
        {
            "text_config": {**TEXT, "head_dim": 8},
            "vision_config": VISION,
            "mm_tokens_per_image": 4,
            "image_token_index": 7,
            "boi_token_index": 8,
            "eoi_token_index": 9,
        },
    ),
    "Idefics3ForConditionalGeneration": (
        "Idefics3Config",
        {"text_config": {"model_type": "llama", **TEXT}, "vision_config": VISION, "image_token_id": 7},
    ),
    "Qwen2_5_VLForConditionalGeneration": (
        "Qwen2_5_VLConfig",
        {
            "text_config": {**TEXT, "rope_parameters": ROPE},
            "vision_config": {**PACKED, "out_hidden_size": 32, "fullatt_block_indexes": [0]},
            "image_token_id": 7,
            "video_token_id": 8,
            "vision_start_token_id": 9,
            "vision_end_token_id": 10,
        },
    ),
    "Qwen2AudioForConditionalGeneration": (
        "Qwen2AudioConfig",
        {"text_config": {"model_type": "qwen2", **TEXT}, "audio_config": SOUND, "audio_token_index": 7},
    ),
    "VoxtralForConditionalGeneration": (
        "VoxtralConfig",
        {
            "text_config": {"model_type": "llama", **TEXT},
            "audio_config": {
                "hidden_size": 32,
                "num_hidden_layers": 2,
                "num_attention_heads": 4,
                "intermediate_size": 64,
                "num_mel_bins": 16,
                "max_source_positions": 30,
            },
            "audio_token_id": 7,
        },
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_made_runs_and_a_configuration_says_the_same(name):
    config_class, values = CASES[name]
    config = getattr(transformers, config_class)(**values)
    model = getattr(transformers, name)(config).eval()
    spec = dummyio.describe(model)
    assert (spec.feeds()["input_ids"] == 7).any()
    assert dummyio.describe({**config.to_dict(), "architectures": [name]}).sha256 == spec.sha256
    with torch.no_grad():
        model(**spec.generate("pt"))
        model(**spec.generate("pt", batch_size=3, sequence_length=spec.dims["sequence_length"].size + 5))


def test_packed_images_and_their_grids_agree():
    config = getattr(transformers, CASES["Qwen2_5_VLForConditionalGeneration"][0])
    values = config(**CASES["Qwen2_5_VLForConditionalGeneration"][1]).to_dict()
    made = dummyio.describe({**values, "architectures": ["Qwen2_5_VLForConditionalGeneration"]}).feeds()
    assert made["image_grid_thw"].prod(axis=1).sum() == len(made["pixel_values"])
    assert ((made["input_ids"] == 7) == (made["mm_token_type_ids"] == 1)).all()
    assert (made["input_ids"] == 9).sum(axis=1).tolist() == [1, 1]


@pytest.mark.parametrize(
    ("name", "attributes", "edge"),
    [
        # Maps of strides 8, 16 and 32 have 336 places together at 128 pixels, and 189 at 96.
        ("RTDetrConfig", {"num_queries": 300}, 128),
        ("RTDetrConfig", {"num_queries": 30}, 64),
        # The copy at a quarter of the size is one patch.
        ("DepthProConfig", {"patch_size": 384, "scaled_images_ratios": [0.25, 0.5, 1]}, 1536),
    ],
)
def test_images_are_large_enough_for_queries_and_patches(name, attributes, edge):
    spec = dummyio.describe(getattr(transformers, name)(**attributes), "feature-extraction")
    assert spec.shapes()["pixel_values"] == (2, 3, edge, edge)


def test_the_image_model_of_a_larger_one_gets_packed_patches():
    config = transformers.Glm4vVisionConfig(
        depth=1, hidden_size=32, num_heads=4, patch_size=4, intermediate_size=37, out_hidden_size=32, image_size=16
    )
    model = transformers.AutoModel.from_config(config).eval()
    spec = dummyio.describe(config, "feature-extraction")
    assert spec.shapes()["hidden_states"][1] == 3 * config.temporal_patch_size * 4 * 4
    with torch.no_grad():
        model(**spec.generate("pt"))


def test_a_medium_whose_placeholder_is_no_token_is_left_out():
    """By default the placeholder of images is an id after the vocabulary, so a text cannot hold it."""
    config = transformers.Idefics2Config()
    assert config.image_token_id >= config.text_config.vocab_size
    assert set(dummyio.describe(config, "feature-extraction")) == {"input_ids", "attention_mask", "position_ids"}
