"""Where sizes come from: the caller, the configuration, the defaults; and how they hold together."""

import warnings

import pytest

from dummyio.errors import DimError, OptionError
from dummyio.generators.registry import (
    DEFAULT_DUMMY_SHAPES,
    OPTIONS,
    DimSizes,
    DummyPastKeyValuesGenerator,
    DummyTextInputGenerator,
    DummyVisionInputGenerator,
    SizeWarning,
    build_context,
    generator_for,
)
from dummyio.model_config.normalized_config import NormalizedConfig

TEXT = {"vocab_size": 100, "num_hidden_layers": 1, "num_attention_heads": 2, "hidden_size": 8}
IMAGE = {"image_size": 224, "patch_size": 16, "num_attention_heads": 2, "num_channels": 3}


def sizes(config=(), given=(), **keywords):
    return DimSizes(NormalizedConfig(dict(config)), dict(given), **keywords)


def test_the_defaults_of_optimum_are_kept():
    optimum = {
        "batch_size": 2,
        "sequence_length": 16,
        "num_choices": 4,
        "width": 64,
        "height": 64,
        "num_channels": 3,
        "point_batch_size": 3,
        "nb_points_per_image": 2,
        "visual_seq_length": 16,
        "feature_size": 80,
        "nb_max_frames": 3000,
        "audio_sequence_length": 16000,
    }
    assert optimum.items() <= DEFAULT_DUMMY_SHAPES.items()


def test_the_order_of_sources():
    assert sizes().dim("height").size == 64
    assert sizes().dim("height", size=32).size == 32
    assert sizes(given={"height": 48}).dim("height", size=32).size == 48


def test_one_name_is_one_symbol():
    common = sizes()
    assert common.dim("height", size=32) is common.dim("height", size=40)


def test_a_symbol_follows_another():
    assert sizes(given={"sequence_length": 5}).dim("decoder_sequence_length").size == 5
    assert sizes(given={"sequence_length": 5, "decoder_sequence_length": 7}).dim("decoder_sequence_length").size == 7


def test_the_caller_wins_over_the_configuration_and_is_warned():
    generator = DummyVisionInputGenerator("image-classification", IMAGE, width=64)
    with pytest.warns(SizeWarning, match="width=64 contradicts image_size of the configuration, which gives 224"):
        spec = generator.spec("pixel_values")
    assert spec.sizes() == (2, 3, 224, 64)


def test_the_caller_is_warned_once():
    generator = DummyVisionInputGenerator("image-classification", IMAGE, width=64)
    with pytest.warns(SizeWarning):
        generator.spec("pixel_values")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        generator.spec("pixel_mask")


def test_what_agrees_with_the_configuration_warns_nobody():
    assert DummyVisionInputGenerator("image-classification", IMAGE, width=224).spec("pixel_values").sizes()[-1] == 224


def test_a_limit_of_the_configuration_bounds():
    assert sizes({"n_positions": 10}).dim("sequence_length").size == 10
    with pytest.raises(DimError, match="at most 10"):
        sizes({"n_positions": 10}, {"sequence_length": 11}).dim("sequence_length")


def test_a_floor_gives_way_to_the_caller():
    assert sizes().dim("height", floor=32).min == 32
    assert sizes(given={"height": 8}).dim("height", floor=32).min == 8


@pytest.mark.parametrize(
    ("given", "new", "past"),
    [
        ({}, 10, 10),
        ({"past_sequence_length": 15}, 5, 15),
        ({"sequence_length": 13}, 13, 7),
        ({"sequence_length": 20}, 20, 0),
        ({"sequence_length": 4, "past_sequence_length": 6}, 10, 10),
        ({"sequence_length": 14, "past_sequence_length": 6}, 14, 6),
    ],
)
def test_past_and_new_tokens_share_the_positions(given, new, past):
    common = sizes({"n_positions": 20}, given, with_past=True)
    dims = common.dim("sequence_length"), common.dim("past_sequence_length")
    assert (dims[0].max, dims[1].max) == (new, past)
    assert dims[0].size + dims[1].size <= 20
    assert all(dim.size == given.get(dim.name, dim.size) for dim in dims)


@pytest.mark.parametrize("given", [{"past_sequence_length": 20}, {"sequence_length": 15, "past_sequence_length": 6}])
def test_more_than_all_positions_is_an_error(given):
    common = sizes({"n_positions": 20}, given, with_past=True)
    with pytest.raises(DimError, match=r"20 positions|at most 14"):
        common.dim("sequence_length")


def test_a_window_bounds_the_past():
    config = {**TEXT, "sliding_window": 5}
    assert sizes(config).dim("past_sequence_length").max == 4
    with pytest.raises(DimError, match="at most 4"):
        sizes(config, {"past_sequence_length": 5}).dim("past_sequence_length")


def test_a_past_can_be_empty():
    assert sizes().dim("past_sequence_length").min == 0


def test_generators_agree_on_what_is_drawn():
    keywords = {"random_batch_size_range": (1, 9), "random_sequence_length_range": (4, 40)}
    batches = set()
    for seed in range(20):
        context = build_context(
            "text-generation-with-past", NormalizedConfig(TEXT), {**keywords, "seed": seed}, OPTIONS
        )
        ids = generator_for("input_ids", context).spec("input_ids").sizes()
        key = generator_for("past_key_values", context).spec("past_key_values.0.key").sizes()
        assert ids[0] == key[0]
        assert 1 <= ids[0] <= 9
        assert 4 <= ids[1] <= 40
        batches.add(ids[0])
    assert len(batches) > 4


def test_generators_by_themselves_agree_too():
    drawn = {"random_batch_size_range": (1, 1000), "seed": 5}
    text = DummyTextInputGenerator("text-generation", TEXT, **drawn).spec("input_ids").sizes()
    cache = DummyPastKeyValuesGenerator("text-generation", TEXT, **drawn).spec("past_key_values.0.key").sizes()
    assert text[0] == cache[0]


@pytest.mark.parametrize(
    ("keywords", "match"),
    [
        ({"batch_sze": 3}, "'batch_size'"),
        ({"random_batch_sze_range": (1, 2)}, "'batch_size'"),
        ({"random_batch_size_range": (2, 1)}, "the smaller first"),
        ({"random_batch_size_range": (1, 2.5)}, "two ints"),
        ({"padding_side": "top"}, "left, right"),
        ({"mask_policy": "none"}, "ragged"),
        ({"key_layout": "b h s d"}, "neither a size nor an option"),
    ],
)
def test_what_is_no_keyword_is_an_error(keywords, match):
    with pytest.raises(OptionError, match=match):
        DummyTextInputGenerator("x", TEXT, **keywords)


@pytest.mark.parametrize("size", [-1, 2.0, "3", True])
def test_what_is_no_size_is_an_error(size):
    with pytest.raises(DimError, match="batch_size"):
        DummyTextInputGenerator("x", TEXT, batch_size=size)


def test_none_is_not_given():
    assert DummyTextInputGenerator("x", TEXT, batch_size=None, random_batch_size_range=None).spec(
        "input_ids"
    ).sizes() == (2, 16)
