"""Models of Diffusers whose shapes docstrings, layers or other classes of their file state: described from configurations, and run."""

import pytest

import dummyio
from dummyio.errors import SourceError

diffusers = pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

MOTION = {
    "block_out_channels": (16, 32),
    "norm_num_groups": 16,
    "down_block_types": ("CrossAttnDownBlockMotion", "DownBlockMotion"),
    "up_block_types": ("UpBlockMotion", "CrossAttnUpBlockMotion"),
    "cross_attention_dim": 16,
    "num_attention_heads": 2,
    "layers_per_block": 1,
    "sample_size": 16,
}
SOUND = {
    "block_out_channels": (8, 8, 16, 16),
    "in_channels": 14,
    "out_channels": 14,
    "time_embedding_type": "positional",
    "use_timestep_embedding": True,
    "flip_sin_to_cos": False,
    "freq_shift": 1.0,
    "out_block_type": "OutConv1DBlock",
    "mid_block_type": "MidResTemporalBlock1D",
    "down_block_types": ("DownResnetBlock1D",) * 4,
    "up_block_types": ("UpResnetBlock1D",) * 3,
    "act_fn": "swish",
}
VIDEO_AND_SOUND = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "cross_attention_dim": 16,
    "audio_in_channels": 4,
    "audio_out_channels": 4,
    "audio_num_attention_heads": 2,
    "audio_attention_head_dim": 4,
    "audio_cross_attention_dim": 8,
    "num_layers": 1,
    "caption_channels": 16,
    "rope_double_precision": False,
}
FRAMES = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 4,
    "out_channels": 4,
    "text_dim": 16,
    "ffn_dim": 32,
    "num_layers": 1,
    "rope_max_seq_len": 32,
    "deltatime_type": "r",
}
PACKED = {
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "hidden_size": 24,
    "num_layers": 1,
    "num_refiner_layers": 1,
    "ffn_dim": 32,
    "in_channels": 4,
    "audio_in_channels": 6,
    "patch_size": (1, 2, 2),
    "text_dim": 8,
    "freq_dim": 8,
    "time_embed_hidden_dim": 24,
    "time_embed_dim": 16,
    "rope_freq_dim": 2,
}
CODER = {
    "latent_channels": 8,
    "block_out_channels": (8,) * 4,
    "decoder_block_out_channels": (16, 32, 64),
    "layers_per_block": (1,) * 4,
    "decoder_layers_per_block": (1,) * 4,
    "spatio_temporal_scaling": (True, True, True, False),
    "decoder_spatio_temporal_scaling": (True,) * 3,
    "decoder_inject_noise": (False,) * 4,
    "upsample_residual": (True,) * 3,
    "upsample_factor": (2,) * 3,
    "timestep_conditioning": True,
    "patch_size": 1,
}
CASES = [
    ("UNetMotionModel", MOTION, "encoder_hidden_states", "batch_size * num_frames, sequence_length, 16"),
    ("UNet1DModel", SOUND, "timestep", "batch_size"),
    ("LTX2VideoTransformer3DModel", VIDEO_AND_SOUND, "audio_coords", "batch_size, 1, num_audio_tokens"),
    ("AnyFlowTransformer3DModel", FRAMES, "r_timestep", "batch_size, num_frames"),
    ("MiniMaxH3Transformer3DModel", PACKED, "video_indices", "num_video_tokens"),
    ("AutoencoderKLLTXVideo", CODER, "temb", "batch_size"),
]


@pytest.mark.parametrize(("name", "settings", "argument", "shape"), CASES, ids=[name for name, *_ in CASES])
def test_stated_shapes(name, settings, argument, shape):
    kind = getattr(diffusers, name, None)
    if kind is None:
        pytest.skip(f"this release of Diffusers has no {name}")
    spec = dummyio.describe({"_class_name": name, **settings})
    assert ", ".join(map(str, spec[argument].shape)) == shape
    torch.manual_seed(0)
    model = kind(**settings).eval()
    for sizes in ({}, {"batch_size": 3}):
        with torch.no_grad():
            model(**spec.generate("pt", **sizes))


def test_an_argument_that_is_a_list_is_not_described_as_a_tensor():
    if not hasattr(diffusers, "ZImageTransformer2DModel"):
        pytest.skip("this release of Diffusers has no model that takes a list")
    with pytest.raises(SourceError, match="does not say what it needs as x, t, cap_feats"):
        dummyio.describe({"_class_name": "ZImageTransformer2DModel"})


TEXT_AND_IMAGE = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 16,
    "num_layers": 1,
    "mlp_ratio": 2,
    "text_embed_dim": 32,
    "encoder_hidden_states_channels": 32,
    "adaln_lora_dim": 4,
    "max_size": (8, 32, 32),
    "patch_size": (1, 2, 2),
    "rope_scale": (2.0, 1.0, 1.0),
    "extra_pos_embed_type": None,
}


@pytest.mark.skipif(not hasattr(diffusers, "CosmosTransformer3DModel"), reason="no such model in this release")
@pytest.mark.parametrize("size", [None, 12], ids=["text alone", "text and image"])
def test_a_tensor_or_a_tuple_is_a_tuple_where_the_model_has_layers_for_its_items(size):
    settings = TEXT_AND_IMAGE | {"concat_padding_mask": False, "img_context_dim_in": size, "img_context_dim_out": 32}
    spec = dummyio.describe({"_class_name": "CosmosTransformer3DModel", **settings})
    leaves = {path: [str(axis) for axis in leaf.shape] for path, leaf in spec.leaves}
    if size is None:
        assert leaves["encoder_hidden_states"] == ["batch_size", "sequence_length", "32"]
        return
    assert leaves["encoder_hidden_states.0"] == ["batch_size", "sequence_length", "32"]
    assert leaves["encoder_hidden_states.1"] == ["batch_size", "img_context_length", "12"]
    assert "padding_mask" not in leaves
    torch.manual_seed(0)
    with torch.no_grad():
        diffusers.CosmosTransformer3DModel(**settings).eval()(**spec.generate("pt"))


@pytest.mark.skipif(not hasattr(diffusers, "CosmosTransformer3DModel"), reason="no such model in this release")
def test_a_mask_that_is_resized_as_an_image_and_repeated_for_the_batch_has_one_row():
    spec = dummyio.describe({"_class_name": "CosmosTransformer3DModel", **TEXT_AND_IMAGE})
    assert [str(axis) for axis in spec["padding_mask"].shape] == ["1", "1", "height", "width"]


TWO_TEXTS = {
    "sample_size": 8,
    "patch_size": 2,
    "in_channels": 4,
    "num_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 2,
    "cross_attention_dim": 8,
    "cross_attention_dim_t5": 16,
    "pooled_projection_dim": 4,
    "hidden_size": 16,
    "text_len": 4,
    "text_len_t5": 6,
}


@pytest.mark.skipif(not hasattr(diffusers, "HunyuanDiT2DModel"), reason="no such model in this release")
@pytest.mark.parametrize("sized", [True, False], ids=["sizes and style", "texts alone"])
def test_texts_have_the_lengths_that_the_configuration_names_after_them(sized):
    settings = TWO_TEXTS | {"use_style_cond_and_image_meta_size": sized}
    spec = dummyio.describe({"_class_name": "HunyuanDiT2DModel", **settings})
    made = spec.generate("pt")
    assert made["encoder_hidden_states"].shape == (2, 4, 8)
    assert made["encoder_hidden_states_t5"].shape == (2, 6, 16)
    assert made["text_embedding_mask_t5"].shape == (2, 6)
    assert {"style", "image_meta_size"} <= {*made} if sized else not {"style", "image_meta_size"} & {*made}
    torch.manual_seed(0)
    with torch.no_grad():
        diffusers.HunyuanDiT2DModel(**settings).eval()(**made)
