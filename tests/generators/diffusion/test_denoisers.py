"""Denoisers: time steps, conditions, coordinates."""

import numpy as np
import pytest

from dummyio.generators.registry import (
    OPTIONS,
    DummyPackedTransformerVisionInputGenerator,
    DummyTimestepInputGenerator,
    DummyTransformerTimestepInputGenerator,
    DummyTransformerVisionInputGenerator,
    build_context,
    generator_for,
)
from dummyio.model_config.normalized_config import NormalizedConfig

BLOCKS = {"in_channels": 4, "sample_size": 16, "cross_attention_dim": 24, "block_out_channels": [32, 64]}
PATCHES = {"in_channels": 4, "sample_size": 16, "patch_size": 2, "joint_attention_dim": 24}
PACKED = {"in_channels": 16, "joint_attention_dim": 24, "axes_dims_rope": [2, 4, 4]}


@pytest.mark.parametrize(
    ("config", "name", "shape"),
    [
        (BLOCKS, "timestep", ()),
        (PATCHES, "timestep", (2,)),
        (PACKED, "timestep", (2,)),
        (BLOCKS, "sample", (2, 4, 16, 16)),
        (PATCHES, "hidden_states", (2, 4, 16, 16)),
        (PACKED, "hidden_states", (2, 1024, 16)),
        (BLOCKS, "encoder_hidden_states", (2, 16, 24)),
        (PATCHES, "encoder_attention_mask", (2, 16)),
        (PACKED, "txt_ids", (16, 3)),
        ({"vocab_size": 9, "d_model": 8}, "encoder_hidden_states", (2, 16, 8)),
    ],
)
def test_the_configuration_tells_denoisers_apart(config, name, shape):
    context = build_context("x", NormalizedConfig(config), {}, OPTIONS)
    assert generator_for(name, context).spec(name).sizes() == shape


def test_time_steps():
    steps = DummyTransformerTimestepInputGenerator("x", PATCHES, batch_size=64).generate("timestep", "np")
    assert steps.min() >= 0
    assert 900 < steps.max() < 1000
    whole = DummyTransformerTimestepInputGenerator("x", PATCHES, integer_timestep=True, int_dtype="int32").spec(
        "timestep"
    )
    assert whole.dtype == "int32"
    assert DummyTransformerTimestepInputGenerator("x", PACKED, batch_size=64).generate("timestep", "np").max() < 1


@pytest.mark.parametrize(
    ("config", "text", "numbers"),
    [
        ({"projection_class_embeddings_input_dim": 58, "addition_time_embed_dim": 8}, 10, 6),
        ({"text_encoder_projection_dim": 10}, 10, 6),
        ({"text_encoder_projection_dim": 10, "requires_aesthetics_score": True}, 10, 5),
    ],
)
def test_more_conditions_are_nested(config, text, numbers):
    generator = DummyTimestepInputGenerator("x", {**BLOCKS, **config})
    nested = generator.generate("added_cond_kwargs", "np")
    assert {name: values.shape for name, values in nested.items()} == {
        "text_embeds": (2, text),
        "time_ids": (2, numbers),
    }
    assert generator.spec("added_cond_kwargs.text_embeds").sizes() == (2, text)


def test_latents_are_whole_patches():
    height = DummyTransformerVisionInputGenerator("x", PATCHES).spec("hidden_states").shape[2]
    assert height.multiple_of == 2


def test_packed_rows_lie_in_a_grid():
    generator = DummyPackedTransformerVisionInputGenerator("x", PACKED, height=4, width=6)
    expected = [[0, row, column] for row in range(2) for column in range(3)]
    assert generator.generate("img_ids", "np").tolist() == expected
    assert np.array_equal(generator.generate("img_ids", "np", int_dtype="int32"), expected)
    spec = generator.spec("img_ids")
    assert str(spec.shape[0]) == "(height // 2) * (width // 2)"
