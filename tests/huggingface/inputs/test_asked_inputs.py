"""A caller adds inputs to those that rules choose, or leaves some out, and wrong names are errors."""

import pytest

pytest.importorskip("transformers")

import dummyio
from dummyio.errors import OptionError

BERT = {"model_type": "bert", "architectures": ["BertModel"], "vocab_size": 99, "type_vocab_size": 2}
VIT = {"model_type": "vit", "architectures": ["ViTModel"]}
DINO = {"model_type": "dinov3_vit", "architectures": ["DINOv3ViTModel"]}


def test_inputs_are_added_in_the_order_of_forward():
    spec = dummyio.describe(BERT, "feature-extraction", feed=("position_ids",))
    assert list(spec) == ["input_ids", "attention_mask", "token_type_ids", "position_ids"]


def test_inputs_are_left_out_with_the_rules_that_name_them():
    spec = dummyio.describe(BERT, "feature-extraction", leave_out=["attention_mask"])
    assert list(spec) == ["input_ids", "token_type_ids"]
    assert spec["input_ids"].values.mask is None


def test_names_by_comma_as_the_command_line_has_them():
    assert list(dummyio.describe(BERT, "fill-mask", leave_out="attention_mask, token_type_ids")) == ["input_ids"]


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        (BERT, {"leave_out": ("attention_maks",)}, "no argument 'attention_maks'. Did you mean 'attention_mask'"),
        (BERT, {"feed": ("pixel_values",)}, "feed: the model has no argument 'pixel_values'"),
        (BERT, {"feed": 3}, "feed=3: give names of inputs"),
        (BERT, {"leave_out": (3,)}, "give names of inputs"),
        (BERT, {"feed": ("input_ids",), "leave_out": ("input_ids",)}, "feed asks for it"),
        (BERT, {"feed": ("output_attentions",)}, "feed: "),
        (VIT, {"leave_out": ("pixel_values",)}, "leave_out=pixel_values: no input remains"),
        (DINO, {"leave_out": ("pixel_values",)}, "cannot be left out, for the model does not run without it"),
    ],
)
def test_wrong_names(source, options, message):
    with pytest.raises(OptionError) as caught:
        dummyio.describe(source, "feature-extraction", **options)
    assert message in str(caught.value)
