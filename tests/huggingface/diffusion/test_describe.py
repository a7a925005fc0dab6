"""Models of the Diffusers library: described from their configuration as from the model, and run on what is made."""

import json
import subprocess
import sys

import pytest

import dummyio
from dummyio.errors import OptionError, SourceError

diffusers = pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

BLOCKS = {
    "block_out_channels": (4, 8),
    "layers_per_block": 1,
    "norm_num_groups": 2,
    "sample_size": 16,
    "in_channels": 4,
    "out_channels": 4,
}
CROSSED = {
    "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "CrossAttnUpBlock2D"),
    "cross_attention_dim": 8,
    "attention_head_dim": 2,
}
CODER = {
    "block_out_channels": (4, 8),
    "norm_num_groups": 2,
    "down_block_types": ("DownEncoderBlock2D",) * 2,
    "up_block_types": ("UpDecoderBlock2D",) * 2,
}
PACKED = {
    "patch_size": 1,
    "in_channels": 4,
    "num_layers": 1,
    "num_single_layers": 1,
    "attention_head_dim": 16,
    "num_attention_heads": 2,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 24,
    "axes_dims_rope": [4, 4, 8],
}
JOINT = {
    "sample_size": 32,
    "patch_size": 1,
    "in_channels": 4,
    "num_layers": 1,
    "attention_head_dim": 8,
    "num_attention_heads": 4,
    "caption_projection_dim": 32,
    "joint_attention_dim": 32,
    "pooled_projection_dim": 64,
    "out_channels": 4,
}
SIZED = {
    "sample_size": 8,
    "num_layers": 1,
    "patch_size": 2,
    "attention_head_dim": 8,
    "num_attention_heads": 3,
    "caption_channels": 32,
    "in_channels": 4,
    "cross_attention_dim": 24,
    "out_channels": 8,
    "norm_type": "ada_norm_single",
}
VIDEO = {
    "patch_size": (1, 2, 2),
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": 4,
    "out_channels": 4,
    "text_dim": 16,
    "freq_dim": 16,
    "ffn_dim": 32,
    "num_layers": 1,
}

CASES = {
    "conditioned": (
        "UNet2DConditionModel",
        BLOCKS | CROSSED,
        {
            "sample": (2, 4, 16, 16),
            "timestep": (),
            "encoder_hidden_states": (2, 16, 8),
            "encoder_attention_mask": (2, 16),
        },
    ),
    "conditioned on classes": (
        "UNet2DConditionModel",
        BLOCKS | CROSSED | {"num_class_embeds": 7, "time_cond_proj_dim": 6},
        {
            "sample": (2, 4, 16, 16),
            "timestep": (),
            "encoder_hidden_states": (2, 16, 8),
            "class_labels": (2,),
            "timestep_cond": (2, 6),
            "encoder_attention_mask": (2, 16),
        },
    ),
    "conditioned through a projection": (
        "UNet2DConditionModel",
        BLOCKS | CROSSED | {"encoder_hid_dim": 12, "encoder_hid_dim_type": "text_proj"},
        {
            "sample": (2, 4, 16, 16),
            "timestep": (),
            "encoder_hidden_states": (2, 16, 12),
            "encoder_attention_mask": (2, 16),
        },
    ),
    "unconditioned": (
        "UNet2DModel",
        BLOCKS
        | {
            "down_block_types": ("DownBlock2D", "AttnDownBlock2D"),
            "up_block_types": ("AttnUpBlock2D", "UpBlock2D"),
            "attention_head_dim": 2,
        },
        {"sample": (2, 4, 16, 16), "timestep": ()},
    ),
    "of videos": (
        "UNet3DConditionModel",
        BLOCKS
        | {
            "down_block_types": ("CrossAttnDownBlock3D", "DownBlock3D"),
            "up_block_types": ("UpBlock3D", "CrossAttnUpBlock3D"),
            "cross_attention_dim": 8,
            "attention_head_dim": 4,
        },
        {"sample": (2, 4, 8, 16, 16), "timestep": (), "encoder_hidden_states": (2, 16, 8)},
    ),
    "of frames": (
        "UNetSpatioTemporalConditionModel",
        {
            "block_out_channels": (32, 64),
            "layers_per_block": 1,
            "sample_size": 16,
            "in_channels": 8,
            "out_channels": 4,
            "down_block_types": ("CrossAttnDownBlockSpatioTemporal", "DownBlockSpatioTemporal"),
            "up_block_types": ("UpBlockSpatioTemporal", "CrossAttnUpBlockSpatioTemporal"),
            "cross_attention_dim": 32,
            "num_attention_heads": 8,
            "projection_class_embeddings_input_dim": 96,
            "addition_time_embed_dim": 32,
        },
        {"sample": (2, 8, 8, 16, 16), "timestep": (), "encoder_hidden_states": (2, 16, 32), "added_time_ids": (2, 3)},
    ),
    "guided by an image": (
        "ControlNetModel",
        {
            "block_out_channels": (4, 8),
            "layers_per_block": 1,
            "norm_num_groups": 2,
            "in_channels": 4,
            "down_block_types": ("CrossAttnDownBlock2D", "DownBlock2D"),
            "cross_attention_dim": 8,
            "attention_head_dim": 2,
            "conditioning_embedding_out_channels": (2, 4),
        },
        {
            "sample": (2, 4, 64, 64),
            "timestep": (),
            "encoder_hidden_states": (2, 16, 8),
            "controlnet_cond": (2, 3, 128, 128),
        },
    ),
    "transformer": (
        "SD3Transformer2DModel",
        JOINT,
        {
            "hidden_states": (2, 4, 32, 32),
            "encoder_hidden_states": (2, 16, 32),
            "pooled_projections": (2, 64),
            "timestep": (2,),
        },
    ),
    "packed": (
        "FluxTransformer2DModel",
        PACKED | {"guidance_embeds": True},
        {
            "hidden_states": (2, 1024, 4),
            "encoder_hidden_states": (2, 16, 32),
            "pooled_projections": (2, 24),
            "timestep": (2,),
            "img_ids": (1024, 3),
            "txt_ids": (16, 3),
            "guidance": (2,),
        },
    ),
    "with captions": (
        "PixArtTransformer2DModel",
        SIZED | {"use_additional_conditions": False},
        {
            "hidden_states": (2, 4, 8, 8),
            "encoder_hidden_states": (2, 16, 32),
            "timestep": (2,),
            "encoder_attention_mask": (2, 16),
        },
    ),
    "of classes": (
        "DiTTransformer2DModel",
        {
            "in_channels": 4,
            "out_channels": 8,
            "attention_head_dim": 4,
            "num_attention_heads": 2,
            "num_embeds_ada_norm": 8,
            "num_layers": 1,
            "sample_size": 8,
            "patch_size": 2,
        },
        {"hidden_states": (2, 4, 8, 8), "timestep": (2,), "class_labels": (2,)},
    ),
    "of codes": (
        "Transformer2DModel",
        {
            "num_vector_embeds": 10,
            "sample_size": 4,
            "attention_head_dim": 8,
            "num_attention_heads": 2,
            "cross_attention_dim": 16,
        },
        {
            "hidden_states": (2, 16),
            "encoder_hidden_states": (2, 16, 16),
            "timestep": (2,),
            "encoder_attention_mask": (2, 16),
        },
    ),
    "without conditions": (
        "Transformer2DModel",
        {"in_channels": 32, "norm_num_groups": 8, "attention_head_dim": 8, "num_attention_heads": 2},
        {"hidden_states": (2, 32, 64, 64), "timestep": (2,), "encoder_attention_mask": (2, 16)},
    ),
    "prior": (
        "PriorTransformer",
        {
            "num_attention_heads": 2,
            "attention_head_dim": 4,
            "num_layers": 1,
            "embedding_dim": 8,
            "num_embeddings": 7,
            "additional_embeddings": 4,
        },
        {"hidden_states": (2, 8), "timestep": (2,), "proj_embedding": (2, 8), "encoder_hidden_states": (2, 7, 8)},
    ),
    "transformer of videos": (
        "WanTransformer3DModel",
        VIDEO | {"rope_max_seq_len": 32},
        {"hidden_states": (2, 4, 8, 64, 64), "timestep": (2,), "encoder_hidden_states": (2, 16, 16)},
    ),
    "autoencoder": ("AutoencoderKL", CODER | {"sample_size": 16}, {"sample": (2, 3, 16, 16)}),
    "quantizer": ("VQModel", CODER | {"latent_channels": 3}, {"sample": (2, 3, 32, 32)}),
    "small autoencoder": (
        "AutoencoderTiny",
        {
            "encoder_block_out_channels": (8, 8),
            "decoder_block_out_channels": (8, 8),
            "num_encoder_blocks": (1, 1),
            "num_decoder_blocks": (1, 1),
        },
        {"sample": (2, 3, 64, 64)},
    ),
    "autoencoder of videos": (
        "AutoencoderKLWan",
        {
            "base_dim": 3,
            "z_dim": 4,
            "dim_mult": [1, 1, 1, 1],
            "num_res_blocks": 1,
            "temperal_downsample": [False, True, True],
        },
        {"sample": (2, 3, 5, 16, 16)},
    ),
    "autoencoder of sounds": (
        "AutoencoderOobleck",
        {
            "encoder_hidden_size": 12,
            "decoder_channels": 12,
            "decoder_input_channels": 6,
            "downsampling_ratios": [2, 4],
            "channel_multiples": [1, 2],
        },
        {"sample": (2, 2, 64)},
    ),
}
CODERS = [key for key in CASES if "autoencoder" in key or key == "quantizer"]


def built(key):
    name, config, _ = CASES[key]
    torch.manual_seed(0)
    return getattr(diffusers, name)(**config).eval()


def configuration(key):
    name, config, _ = CASES[key]
    return {"_class_name": name, **config}


def shapes(made):
    return {name: tuple(value.shape) for name, value in made.items()}


def other_size(dim):
    step = dim.multiple_of or 1
    if dim.choices:
        return next(choice for choice in dim.choices if choice != dim.size)
    fits = dim.max is None or dim.size + step <= dim.max
    return dim.size + step if fits else max(dim.size - step, dim.min)


@pytest.mark.slow
@pytest.mark.parametrize("key", CASES)
@pytest.mark.filterwarnings("ignore")  # other people's
def test_what_is_made_runs_at_its_own_and_at_other_sizes(key):
    spec = dummyio.describe(configuration(key))
    made = spec.generate("pt")
    assert shapes(made) == CASES[key][2]
    model = built(key)
    small = spec.with_dims(**{name: dim.min for name, dim in spec.dims.items() if dim.size > 16 and dim.min})
    other = small.with_dims(**{name: other_size(dim) for name, dim in small.dims.items()})
    assert shapes(other.generate("pt")) != shapes(small.generate("pt"))
    with torch.no_grad():
        model(**small.generate("pt"))
        model(**other.generate("pt"))


@pytest.mark.parametrize("key", CASES)
@pytest.mark.filterwarnings("ignore")
def test_a_model_is_described_as_its_configuration(key, tmp_path):
    model, expected = built(key), dummyio.describe(configuration(key))
    model.save_config(tmp_path)
    for source in (model, tmp_path, tmp_path / "config.json", json.loads((tmp_path / "config.json").read_text())):
        found = dummyio.describe(source, prove="off")  # runs of the model restrict sizes that no text states
        assert dict(found) == dict(expected)
        assert found.provenance["names"] == expected.provenance["names"]
        assert found.outputs == expected.outputs


@pytest.mark.parametrize("key", CODERS)
@pytest.mark.filterwarnings("ignore")
def test_the_halves_of_an_autoencoder(key):
    model = built(key)
    encoder, decoder = (dummyio.describe(model, task=task) for task in ("vae-encoder", "vae-decoder"))
    assert (list(encoder), list(decoder)) == (["sample"], ["latent_sample"])
    with torch.no_grad():
        model.encode(encoder.generate("pt")["sample"])
        model.decode(decoder.generate("pt")["latent_sample"])


@pytest.mark.filterwarnings("ignore")
def test_a_nest_of_conditions():
    added = {
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 8,
        "projection_class_embeddings_input_dim": 58,
    }
    model = diffusers.UNet2DConditionModel(**BLOCKS, **CROSSED, **added).eval()
    made = dummyio.generate(model, "pt")
    assert shapes(made["added_cond_kwargs"]) == {"text_embeds": (2, 10), "time_ids": (2, 6)}
    sized = diffusers.PixArtTransformer2DModel(**SIZED, use_additional_conditions=True).eval()
    more = dummyio.generate(sized, "pt")
    assert shapes(more["added_cond_kwargs"]) == {"resolution": (2, 2), "aspect_ratio": (2, 1)}
    with torch.no_grad():
        model(**made)
        sized(**more)


def test_a_part_asked_for_by_its_name_in_a_pipeline():
    assert set(dummyio.describe(configuration("conditioned"), task="unet")) == {
        "sample",
        "timestep",
        "encoder_hidden_states",
    }
    assert dummyio.describe(configuration("transformer"), task="transformer").task == "denoising"
    assert dummyio.describe(configuration("autoencoder")).task == "autoencoding"
    with pytest.raises(OptionError, match=r"task='vae-decoder'.*unet"):
        dummyio.describe(configuration("conditioned"), task="vae-decoder")


def test_a_class_of_ones_own_is_described_as_the_one_it_comes_from():
    class Mine(diffusers.AutoencoderTiny):
        pass

    name, config, expected = CASES["small autoencoder"]
    spec = dummyio.describe(Mine(**config))
    assert spec.provenance["model"] == name
    assert {key: leaf.sizes() for key, leaf in spec.items()} == expected


def test_the_caller_wins():
    spec = dummyio.describe(configuration("transformer"), batch_size=3, height=8, sequence_length=5)
    assert spec["hidden_states"].sizes() == (3, 4, 8, 32)
    assert spec["encoder_hidden_states"].sizes() == (3, 5, 32)
    with pytest.raises(OptionError, match="num_frames=3: no dim"):
        dummyio.describe(configuration("transformer"), num_frames=3)


def test_what_is_no_model(tmp_path):
    with pytest.raises(SourceError, match="it has no forward"):
        dummyio.describe({"_class_name": "DDIMScheduler"})
    with pytest.raises(SourceError, match=r"NoSuchModel: not found in diffusers \d"):
        dummyio.describe({"_class_name": "NoSuchModel"})
    with pytest.raises(SourceError, match="not the name of a class"):
        dummyio.describe({"_class_name": ["custom", "Model"]})


def test_what_the_text_does_not_tell():
    with pytest.raises(SourceError, match="does not say what it needs as image_rotary_emb"):
        dummyio.describe({"_class_name": "LuminaNextDiT2DModel"})


def test_a_pipeline_names_its_parts(tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "scheduler").mkdir()
    (tmp_path / "model_index.json").write_text('{"_class_name": "SomePipeline"}')
    (tmp_path / "unet" / "config.json").write_text(json.dumps(configuration("conditioned")))
    with pytest.raises(SourceError, match=r"pipeline of several models.*folders: unet\."):
        dummyio.describe(tmp_path)
    assert "sample" in dummyio.describe(tmp_path / "unet")


def test_without_the_library_attributes_are_all_there_is(monkeypatch):
    monkeypatch.setattr("dummyio.huggingface.diffusion.library.package_root", lambda _: None)
    from dummyio.huggingface.diffusion.library import find_component

    find_component.cache_clear()
    try:
        for key in ("conditioned", "transformer", "packed"):
            guess = dummyio.describe(configuration(key))
            assert "diffusers is not installed" in guess.provenance["names"]
            assert {name: leaf.sizes() for name, leaf in guess.items()}.items() <= CASES[key][2].items()
        with pytest.raises(SourceError, match=r"dummyio\[diffusers\]"):
            dummyio.describe({"_class_name": "PriorTransformer", "embedding_dim": 8})
    finally:
        find_component.cache_clear()


def test_no_framework_is_imported_for_a_configuration():
    code = (
        "import sys, dummyio; dummyio.describe({'_class_name': 'FluxTransformer2DModel'}); "
        "assert not {'torch', 'diffusers', 'transformers'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
