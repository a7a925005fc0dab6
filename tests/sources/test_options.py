"""Options of readers and sizes by name."""

import pytest

from dummyio import Dim, InputSpec, TensorSpec
from dummyio.errors import OptionError
from dummyio.sources.options import apply_sizes, check_options, make_padding_mask
from dummyio.spec.values import PaddingMask

OWN = ("shapes", "args", "kwargs", "dynamic")


def test_options_and_sizes_are_separated():
    given = {"batch_size": 3, "padding_side": "left", "shapes": {"x": ("n", None, 3)}}
    assert check_options(given, OWN) == ({"padding_side": "left", "shapes": {"x": ("n", None, 3)}}, {"batch_size": 3})
    assert check_options(given, ())[1] == {"batch_size": 3, "shapes": {"x": ("n", None, 3)}}
    assert check_options(None, OWN) == ({}, {})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"padding_side": "up"}, "padding_side='up' is unknown.*left"),
        ({"mask_policy": "most"}, "mask_policy='most' is unknown.*ragged"),
        ({"shapes": 3}, "shapes=3 is not a mapping"),
        ({"shapes": {"x": 3}}, "give lists of sizes"),
        ({"shapes": {"x": (-1,)}}, "give lists of sizes"),
        ({"args": 3}, "args is a int: give a tuple"),
        ({"dynamic": ("n",)}, "is not a mapping of names"),
    ],
)
def test_invalid_options_are_errors_with_a_remedy(given, message):
    with pytest.raises(OptionError, match=message):
        check_options(given, OWN)


def test_defaults_of_masks_are_stated_once():
    assert make_padding_mask({}) == PaddingMask()
    assert make_padding_mask({}, "left", pad=1) == PaddingMask("left", pad=1)
    assert make_padding_mask({"padding_side": "right", "mask_policy": "full"}, "left") == PaddingMask("right", "full")


def test_sizes_apply_to_dims_only():
    spec = InputSpec({"x": TensorSpec("x", (Dim("batch_size", 2), 3))})
    assert apply_sizes(spec, {"batch_size": 5}, OWN, "model").dims["batch_size"].size == 5
    assert apply_sizes(spec, {}, OWN, "model") is spec
    with pytest.raises(OptionError, match=r"batch_sze=5: no dim or option of this model.*batch_size"):
        apply_sizes(spec, {"batch_sze": 5}, OWN, "model")
