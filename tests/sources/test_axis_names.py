"""Names and default sizes of dynamic axes."""

import pytest

from dummyio.sources.axis_names import (
    get_image_axes,
    guess_size,
    guess_size_by_place,
    make_unique,
    name_axis,
    to_identifier,
    usual_axes,
)
from dummyio.spec.default_sizes import DEFAULT_DUMMY_SHAPES, find_default_size


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("batch", "batch"),
        ("batch-size", "batch_size"),
        ("13th", "dim_13th"),
        ("lambda", "lambda_size"),
        ("((", "dim"),
        ("n", "n_size"),
    ],
)
def test_any_text_becomes_an_identifier(text, name):
    assert to_identifier(text) == name


def test_names_are_unique_by_their_owner_then_by_a_number():
    used = set()
    names = [make_unique("size", used, owner) for owner in ("", "a.b", "a.b", "")]
    assert names == ["size", "a_b_size", "size_2", "size_3"]
    assert used == set(names)


@pytest.mark.parametrize(
    ("path", "rank", "floating", "names"),
    [
        ("x", 2, True, ["batch_size", "sequence_length"]),
        ("src_mask", 2, False, ["batch_size", "src_sequence_length"]),
        ("image", 4, True, ["batch_size", "image_size_1", "height", "width"]),
        ("grid.a", 4, False, ["batch_size", "grid_a_size_1", "grid_a_size_2", "grid_a_size_3"]),
    ],
)
def test_axes_are_named_by_their_place(path, rank, floating, names):
    assert [name_axis(path, place, rank, floating=floating) for place in range(rank)] == names


def test_channels_are_first_or_last():
    assert get_image_axes(4, channels_last=False) == ("batch_size", "num_channels", "height", "width")
    assert get_image_axes(5, channels_last=True) == ("batch_size", "num_frames", "height", "width", "num_channels")
    named = [name_axis("image", place, 4, floating=True, channels_last=True) for place in range(4)]
    assert named == ["batch_size", "height", "width", "image_size_3"]


def test_usual_axes_follow_from_roles():
    assert usual_axes("decoder_input_ids", 2) == ("batch_size", "decoder_sequence_length")
    assert usual_axes("past_key_values.0.key", 4) == ("batch_size", "", "past_sequence_length", "")
    assert usual_axes("pixel_values", 4) == ("",) * 4


def test_default_sizes_come_from_one_table():
    assert find_default_size("src_sequence_length") == DEFAULT_DUMMY_SHAPES["sequence_length"]
    assert find_default_size("my_past_sequence_length") == DEFAULT_DUMMY_SHAPES["past_sequence_length"]
    assert find_default_size("hidden") is None
    words = {
        "b": "batch_size",
        "seq": "sequence_length",
        "h": "height",
        "past": "past_sequence_length",
        "C": "num_channels",
    }
    assert {word: guess_size(word) for word in words} == {w: DEFAULT_DUMMY_SHAPES[name] for w, name in words.items()}
    assert guess_size("hidden") is None
    assert [guess_size_by_place(place, 3) for place in range(3)] == [2, 16, 16]
    assert [guess_size_by_place(place, 5) for place in range(5)] == [2, 3, 64, 64, 64]
