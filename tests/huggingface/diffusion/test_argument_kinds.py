"""Whether arguments of models of Diffusers are floats or whole numbers, where annotations say tensor for both."""

import pytest

import dummyio
from dummyio.huggingface.diffusion.argument_kinds import read_kind
from dummyio.huggingface.diffusion.library import find_component

diffusers = pytest.importorskip("diffusers")
torch = pytest.importorskip("torch")

VIDEO = {
    "in_channels": 4,
    "out_channels": 4,
    "num_attention_heads": 2,
    "attention_head_dim": 8,
    "num_layers": 1,
    "num_refiner_layers": 1,
    "mlp_ratio": 2.0,
    "patch_size": 1,
    "patch_size_t": 1,
    "text_embed_dim": 16,
    "text_embed_2_dim": 8,
    "image_embed_dim": 12,
    "rope_axes_dim": (2, 2, 4),
}
KINDS = [
    ("HunyuanVideo15Transformer3DModel", "encoder_attention_mask", "float"),  # its refiner turns it into booleans
    ("LuminaNextDiT2DModel", "encoder_mask", "float"),
    ("HunyuanDiT2DModel", "text_embedding_mask_t5", "float"),  # joined with a mask that becomes booleans
    ("PixArtTransformer2DModel", "encoder_attention_mask", "int"),  # subtracted from 1
    ("MiniMaxH3Transformer3DModel", "position_ids", "float"),  # rotary coordinates
    ("MiniMaxH3Transformer3DModel", "video_indices", "int"),
    ("FluxTransformer2DModel", "hidden_states", "float"),
]


@pytest.mark.parametrize(("name", "argument", "kind"), KINDS, ids=[f"{name} {argument}" for name, argument, _ in KINDS])
def test_the_kind_of_an_argument(name, argument, kind):
    if not hasattr(diffusers, name):
        pytest.skip(f"this release of Diffusers has no {name}")
    assert read_kind(find_component(name), argument) == kind


@pytest.mark.skipif(not hasattr(diffusers, "HunyuanVideo15Transformer3DModel"), reason="no such model in this release")
def test_a_mask_of_floats_marks_the_tokens_that_are_kept():
    spec = dummyio.describe({"_class_name": "HunyuanVideo15Transformer3DModel", **VIDEO})
    made = spec.generate("pt", height=4, width=4)
    assert made["encoder_attention_mask"].dtype == torch.float32
    assert set(made["encoder_attention_mask"].unique().tolist()) <= {0.0, 1.0}
    torch.manual_seed(0)
    with torch.no_grad():
        diffusers.HunyuanVideo15Transformer3DModel(**VIDEO).eval()(**made)
