"""Roles of inputs by their names."""

import pytest

from dummyio.sources import input_names
from dummyio.sources.input_names import get_leaf_name, get_model_part, get_name_prefix, is_past, present_name

ROLES = {
    "is_mask": (("attention_mask", "mask", "scope/Mask:0", "batch.mask.0", "bool_mask"), ("unmasked", "x")),
    "is_padding_mask": (
        ("attention_mask", "src_key_padding_mask", "input_mask"),
        ("head_mask", "pixel_mask", "masked"),
    ),
    "is_ids": (("input_ids", "tokens", "decoder_input_ids"), ("position_ids", "token_type_ids", "x")),
    "can_be_token_ids": (("input_ids", "token", "src", "text", "batch.x"), ("user", "a")),
    "is_position_ids": (("position_ids", "pos_ids", "cache_position", "batch.positions"), ("start_positions", "pos")),
    "is_type_ids": (("token_type_ids", "segment_ids", "segments"), ("input_ids",)),
    "is_parallel_ids": (("position_ids", "token_type_ids"), ("input_ids",)),
    "is_length": (("lengths", "input_len"), ("lengthy",)),
    "is_timestep": (("timestep", "unet.timesteps"), ("time",)),
    "is_past": (("past_key_values.0.key", "cache_params.0"), ("past_key_values.0.encoder.key", "cache_position")),
    "has_target_name": (("labels", "use_cache", "return_dict"), ("input_ids",)),
    "has_data_name": (("attention_mask", "x"), ("scale",)),
}


@pytest.mark.parametrize("role", ROLES)
def test_roles(role):
    yes, no = ROLES[role]
    has_role = getattr(input_names, role)
    assert [name for name in yes if not has_role(name)] == []
    assert [name for name in no if has_role(name)] == []


@pytest.mark.parametrize(
    ("path", "leaf"), [("x", "x"), ("batch.Mask.0", "mask"), ("0.1", "0.1"), ("serving_default_ids:0", "ids")]
)
def test_the_last_part_of_a_path_that_is_not_a_number_counts(path, leaf):
    assert get_leaf_name(path) == leaf


def test_parts_of_a_model_have_names_and_prefixes():
    assert [get_model_part(name) for name in ("src_key_padding_mask", "tgt", "user_ids")] == ["src", "tgt", ""]
    names = ("decoder_attention_mask", "decoder_input_ids", "decoder_position_ids", "attention_mask")
    assert [get_name_prefix(name) for name in names] == ["decoder_", "decoder_", "decoder_", ""]


@pytest.mark.parametrize(
    ("path", "present"),
    [
        ("past_key_values.0.decoder.key", "present.0.decoder.key"),
        ("cache_params.1.conv", "present.1.conv"),
        ("past_key_values", None),
        ("input_ids", None),
    ],
)
def test_a_part_of_a_past_is_continued_by_an_output(path, present):
    assert present_name(path) == present
    assert present is None or is_past(path)
