"""Images: sizes in every form that configurations have, and prompts inside them."""

from dataclasses import replace

import numpy as np
import pytest

from dummyio.errors import SourceError
from dummyio.generators.base.model_facts import MediaFacts, ModelFacts
from dummyio.generators.registry import (
    DummyPatchesInputGenerator,
    DummyPointsGenerator,
    DummyVideoInputGenerator,
    DummyVisionEmbeddingsGenerator,
    DummyVisionInputGenerator,
    DummyVisualInputGenerator,
    build_context,
    generator_for,
)
from dummyio.model_config.normalized_config import NormalizedConfig

PATCHED = {"patch_size": 16, "num_attention_heads": 2, "num_channels": 3}


def pixels(config, task="image-classification", **sizes):
    return DummyVisionInputGenerator(task, config, **sizes).spec("pixel_values")


@pytest.mark.parametrize(
    ("size", "edges"),
    [
        (32, (32, 32)),
        ([32, 48], (32, 48)),
        ((3, 32, 48), (32, 48)),
        ({"height": 32, "width": 48}, (32, 48)),
        ({"shortest_edge": 32}, (32, 32)),
    ],
)
@pytest.mark.parametrize(
    "where", [lambda c: c, lambda c: {"vision_config": c}, lambda c: {"encoder": c, "decoder": {}}]
)
def test_a_size_in_every_form(size, edges, where):
    spec = pixels(where({**PATCHED, "image_size": size}))
    assert spec.sizes() == (2, 3, *edges)
    assert [str(axis) for axis in spec.shape] == ["batch_size", "num_channels", "height", "width"]
    assert all(axis.fixed for axis in spec.shape[1:])


def test_channels_of_a_triple():
    spec = pixels({"input_size": [1, 32, 48]})
    assert spec.sizes() == (2, 1, 32, 48)


@pytest.mark.parametrize(
    "config",
    [
        {"image_size": 96, "num_channels": 3},  # convolutions
        {"image_size": 96, "num_channels": 3, "patch_size": 4},  # the same, with a patch for a stem
        {
            "image_size": 96,
            "num_channels": 3,
            "patch_sizes": [7, 3],
            "num_attention_heads": [1, 2],
        },  # positions by convolution
        {"backbone_config": {**PATCHED, "image_size": 96}, "num_channels": 3},  # a detector's backbone
    ],
)
def test_a_size_that_nothing_fixes_is_free(config):
    height, width = pixels(config).shape[2:]
    assert (height.size, width.size) == (96, 96)
    assert not height.fixed
    assert height.min == 32
    assert pixels(config, height=40).sizes() == (2, 3, 40, 96)


def test_sizes_that_are_asked_for_where_the_configuration_has_none():
    assert pixels({"num_channels": 4}, height=40, width=24).sizes() == (2, 4, 40, 24)
    assert pixels({}, num_channels=1).sizes() == (2, 1, 64, 64)
    assert pixels({}).shape[1].fixed, "every model fixes its channels"


def test_pixels_are_as_processors_return_them():
    values = DummyVisionInputGenerator("x", {**PATCHED, "image_size": 32}).generate("pixel_values", "np")
    assert -1 <= values.min() < -0.9
    assert 0.9 < values.max() < 1


def test_every_pixel_counts():
    mask = DummyVisionInputGenerator("x", {**PATCHED, "image_size": 32}).generate("pixel_mask", "np")
    assert mask.shape == (2, 32, 32)
    assert mask.all()


def test_hidden_patches_are_counted_from_the_image():
    generator = DummyVisionInputGenerator("masked-im", {**PATCHED, "image_size": (64, 32)})
    hidden = generator.generate("bool_masked_pos", "np")
    assert hidden.shape == (2, 8)
    assert hidden.dtype == bool
    assert set(np.unique(hidden)) == {False, True}
    with pytest.raises(SourceError, match="patch_size"):
        DummyVisionInputGenerator("masked-im", {"image_size": 64}).spec("bool_masked_pos")


def test_latents_have_sizes_of_their_own():
    config = {"latent_channels": 16, "in_channels": 3, "sample_size": 512}
    generator = DummyVisionInputGenerator("x", config)
    assert [str(axis) for axis in generator.spec("latent_sample").shape[1:]] == [
        "latent_channels",
        "latent_height",
        "latent_width",
    ]
    assert generator.spec("latent_sample").sizes() == (2, 16, 64, 64)
    assert generator.spec("sample").sizes() == (2, 3, 512, 512)
    assert DummyVisionInputGenerator("x", config, height=32).spec("latent_sample").sizes() == (2, 16, 32, 64)


def test_regions_beside_a_text():
    generator = DummyVisualInputGenerator("x", {"type_vocab_size": 2, "visual_embedding_dim": 7}, batch_size=16)
    mask = generator.generate("visual_attention_mask", "np")
    types = generator.generate("visual_token_type_ids", "np")
    assert (types[mask == 0] == 0).all()
    assert set(np.unique(types)) == {0, 1}
    assert DummyVisualInputGenerator("x", {}).spec("visual_embeds").sizes() == (2, 16, 512)
    assert DummyVisualInputGenerator("multiple-choice", {}).spec("visual_embeds").sizes() == (2, 4, 16, 512)


def test_patches_need_no_processor():
    assert DummyPatchesInputGenerator("x", {}, patch_size=4).spec("flattened_patches").sizes() == (2, 64, 50)
    assert DummyPatchesInputGenerator("x", {}, patch_size={"height": 4, "width": 2}, max_patches=5).spec(
        "flattened_patches"
    ).sizes() == (2, 5, 26)
    with pytest.raises(SourceError, match="patch_size=16"):
        DummyPatchesInputGenerator("x", {}).spec("flattened_patches")


def test_points_and_boxes_lie_inside_the_image():
    config = {"vision_config": {"image_size": (100, 50)}}
    generator = DummyPointsGenerator("x", config, batch_size=16)
    points, labels, boxes = (generator.generate(name, "np") for name in ("input_points", "input_labels", "input_boxes"))
    assert points.min() >= 0
    assert 40 < points.max() < 50
    assert set(np.unique(labels)) == {0, 1}
    assert (boxes[..., :2] <= boxes[..., 2:]).all()
    assert boxes.max() < 50


def test_what_an_image_encoder_returned():
    config = {"vision_config": {"output_channels": 6}, "prompt_encoder_config": {"image_embedding_size": 4}}
    spec = DummyVisionEmbeddingsGenerator("x", config, float_dtype="fp16").spec("image_embeddings")
    assert (spec.sizes(), spec.dtype) == ((2, 6, 4, 4), "float16")
    with pytest.raises(SourceError, match="image_embedding_size"):
        DummyVisionEmbeddingsGenerator("x", {"output_channels": 6}).spec("image_embeddings")


@pytest.mark.parametrize(
    ("config", "task", "names", "rank"),
    [
        ({**PATCHED, "image_size": 32, "num_frames": 4}, "video-classification", {"pixel_values"}, 5),
        ({**PATCHED, "image_size": 32, "num_frames": 4}, "image-classification", {"pixel_values"}, 4),
        ({**PATCHED, "image_size": 32}, "video-classification", {"pixel_values"}, 4),
        ({**PATCHED, "image_size": 32, "num_frames": 4}, "x", {"pixel_values", "pixel_values_videos"}, 4),
    ],
)
def test_videos_have_an_axis_of_frames(config, task, names, rank):
    context = build_context(task, NormalizedConfig(config), {}, names=frozenset(names))
    assert generator_for("pixel_values", context).spec("pixel_values").rank == rank
    videos = generator_for("pixel_values_videos", context).spec("pixel_values_videos")
    assert videos.sizes() == (2, config.get("num_frames", 8), 3, 32, 32)


def test_frames_can_be_asked_for():
    assert DummyVideoInputGenerator("x", PATCHED, num_frames=3).spec("pixel_values_videos").sizes()[1] == 3


def test_an_image_and_its_prompt_share_the_height():
    config = NormalizedConfig({"image_size": [896, 448], "patch_size": 16, "num_attention_heads": 2})
    context = build_context("x", config, {}, names=frozenset({"pixel_values", "prompt_pixel_values"}))
    assert DummyVisionInputGenerator.of(context).spec("pixel_values").sizes() == (2, 3, 448, 448)


def test_windows_of_patches_fill_the_image_and_leave_places_for_all_queries():
    backbone = {"image_size": 129, "patch_size": 14, "num_windows": 4}
    edge = (
        DummyVisionInputGenerator("x", {"backbone_config": backbone, "num_queries": 300}).spec("pixel_values").shape[2]
    )
    assert (edge.multiple_of, edge.size) == (56, 280)


def test_a_frame_around_the_image_fixes_its_size():
    assert DummyVisionInputGenerator("x", {"max_img_size": 48}).spec("pixel_values").shape[2].max == 48


def test_several_images_have_an_axis_and_tokens_attend_to_all():
    facts = ModelFacts(media=MediaFacts(image_axis="images"))
    names = frozenset({"input_ids", "pixel_values"})
    context = build_context("x", NormalizedConfig({"vocab_size": 9}), {}, facts=facts, names=names)
    generator = DummyVisionInputGenerator.of(context)
    assert generator.spec("pixel_values").sizes() == (2, 1, 3, 64, 64)
    alone = replace(context, names=names - {"input_ids"})
    assert DummyVisionInputGenerator.of(alone).spec("pixel_values").sizes() == (2, 3, 64, 64)
    assert generator.spec("image_attention_mask").sizes() == (2, 16, 1)
