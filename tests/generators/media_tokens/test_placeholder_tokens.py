"""Placeholders of images and sounds: as many as the model makes features of, never elsewhere, never in the padding."""

import numpy as np
import pytest
import tiny_configs

import dummyio
from dummyio.errors import DimError, SpecError
from dummyio.input_spec import InputSpec
from dummyio.materialize.generate import materialize_part
from dummyio.spec.dims import Dim
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, Rows, Run, TokenIds
from dummyio.spec.values.rule_text import explain_rule

TEXT = {**tiny_configs.TEXT, "model_type": "llama"}
LLAVA = {
    "model_type": "llava",
    "architectures": ["LlavaForConditionalGeneration"],
    "image_token_index": 7,
    "text_config": TEXT,
    "vision_config": {
        "model_type": "clip_vision_model",
        "hidden_size": 32,
        "image_size": 16,
        "patch_size": 4,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
    },
}


def pair(*runs, side="right", least=6, length=12):
    shape = (Dim("rows", 4), Dim("length", length))
    ids = TokenIds(high=50, reserved=(7, 8), mask="mask", pad=3, runs=runs)
    mask = PaddingMask(side, "ragged", least)
    return InputSpec({"ids": TensorSpec("ids", shape, "int64", ids), "mask": TensorSpec("mask", shape, "int64", mask)})


def test_runs_stand_in_fixed_columns_and_nowhere_else():
    ids = pair(Run(7, 1, 4), Run(8, 5)).feeds()["ids"]
    assert (ids[:, 1:5] == 7).all()
    assert (ids[:, 5] == 8).all()
    assert not np.isin(ids[:, [0, *range(6, 12)]], (7, 8)).any()


def test_runs_count_from_the_end_too():
    ids = pair(Run(7, -5, 4), side="left").feeds()["ids"]
    assert (ids[:, -5:-1] == 7).all()
    assert (ids == 7).sum() == 16


def test_a_part_is_what_the_whole_has_there():
    spec = pair(Run(7, 1, 4))
    part = materialize_part(spec, "ids", (slice(1, 4), slice(2, 9, 3)))
    assert (part == spec.feeds()["ids"][1:4, 2:9:3]).all()


def test_runs_and_rows_are_kept_in_files():
    spec = pair(Run(7, 1, 4), Run(8, -2))
    again = InputSpec.from_json(spec.to_json())
    assert again == spec
    assert again.sha256 == spec.sha256
    grid = InputSpec({"grid": TensorSpec("grid", (2, 3), "int64", Rows((1, 4, 4)))})
    assert InputSpec.from_json(grid.to_json()) == grid
    assert grid.feeds()["grid"].tolist() == [[1, 4, 4], [1, 4, 4]]
    assert explain_rule(Rows((1, 4, 4))) == "rows 1, 4, 4"
    assert "4 x 7 at 1" in explain_rule(TokenIds(9, runs=(Run(7, 1, 4),)))


def test_a_run_that_does_not_fit_is_refused():
    with pytest.raises(SpecError, match="does not fit into a row of 4"):
        pair(Run(7, 1, 4)).feeds(length=4)
    with pytest.raises(SpecError, match="at least one id"):
        pair(Run(7, 1, 0))
    with pytest.raises(SpecError, match="do not fill an axis of 2"):
        InputSpec({"grid": TensorSpec("grid", (2, 2), "int64", Rows((1, 4, 4)))}).feeds()


def test_every_row_keeps_its_placeholders():
    spec = dummyio.describe(LLAVA, batch_size=5, mask_policy="shortest")
    for side in ("left", "right"):
        made = dummyio.describe(LLAVA, batch_size=5, padding_side=side, mask_policy="shortest").feeds()
        assert ((made["input_ids"] == 7).sum(axis=1) == 16).all()
        assert (made["attention_mask"][made["input_ids"] == 7] == 1).all()
    assert spec.dims["sequence_length"].min == 18


def test_a_text_without_room_is_refused():
    with pytest.raises(DimError, match="sequence_length=10: this size must be at least 18"):
        dummyio.describe(LLAVA, sequence_length=10)


def test_the_number_follows_the_size_of_the_image():
    smaller = {**LLAVA, "vision_config": {**LLAVA["vision_config"], "image_size": 8}}
    assert (dummyio.describe(smaller).feeds()["input_ids"] == 7).sum(axis=1).tolist() == [4, 4]


def test_the_class_token_counts_where_features_are_kept_whole():
    pytest.importorskip("transformers", reason="the model's source says whether its vision part has a class token")
    whole = {**LLAVA, "vision_feature_select_strategy": "full"}
    assert (dummyio.describe(whole).feeds()["input_ids"] == 7).sum(axis=1).tolist() == [17, 17]


def test_a_text_alone_holds_none():
    config = {**TEXT, "architectures": ["LlamaForCausalLM"], "image_token_id": 7}
    assert not (dummyio.describe(config).feeds()["input_ids"] == 7).any()
