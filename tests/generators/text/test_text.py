"""Text: ids, masks, types and positions that fit each other."""

import numpy as np
import pytest

from dummyio.errors import OptionError, SourceError
from dummyio.generators.registry import (
    DummyBboxInputGenerator,
    DummyCodebookDecoderTextInputGenerator,
    DummyDecoderTextInputGenerator,
    DummyLabelsGenerator,
    DummyReinforcementLearningInputGenerator,
    DummySeq2SeqDecoderTextInputGenerator,
    DummyTextInputGenerator,
    build_context,
    generator_for,
)
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim

CONFIG = {"vocab_size": 100, "pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "mask_token_id": 50}


def made(config, *names, task="text-classification", **keywords):
    """One sample of these inputs of one spec."""
    fields = {key: keywords.pop(key) for key in ("encoder_decoder", "dual") if key in keywords}
    options = ("last_token", "num_labels")
    context = build_context(task, NormalizedConfig(config), keywords, options, names=frozenset(names), **fields)
    return InputSpec({name: generator_for(name, context).spec(name) for name in names}).generate("np")


def is_contiguous(mask):
    return (np.abs(np.diff(mask.astype(int), axis=-1)).sum(-1) <= 1).all()


def test_ids_are_in_the_vocabulary_and_of_no_special_use():
    made_ids = made(CONFIG, "input_ids", batch_size=64, sequence_length=64)["input_ids"]
    assert set(np.unique(made_ids)) == set(range(100)) - {0, 1, 2, 50}


def test_ids_that_the_outer_configuration_names_are_not_drawn():
    config = {"image_token_id": 7, "text_config": {"vocab_size": 10}}
    assert 7 not in made(config, "input_ids", batch_size=64)["input_ids"]


def test_a_vocabulary_of_special_tokens_only_is_used_as_it_is():
    values = made({"vocab_size": 2, "pad_token_id": 0, "eos_token_id": 1}, "input_ids", batch_size=8)["input_ids"]
    assert set(np.unique(values)) == {0, 1}


def test_a_configuration_without_a_vocabulary_says_what_it_lacks():
    with pytest.raises(SourceError, match="vocab_size"):
        made({}, "input_ids")


def test_ids_are_pads_where_the_mask_is_0():
    values = made(CONFIG, "input_ids", "attention_mask", batch_size=32)
    assert ((values["input_ids"] == 1) == (values["attention_mask"] == 0)).all()


@pytest.mark.parametrize("side", ["left", "right"])
def test_masks_have_a_length_for_each_row(side):
    mask = made(CONFIG, "attention_mask", batch_size=32, padding_side=side)["attention_mask"]
    lengths = mask.sum(-1)
    assert is_contiguous(mask)
    assert len(set(lengths)) > 3
    assert lengths[0] == 16
    assert lengths.min() >= 1
    assert mask[:, 0 if side == "right" else -1].all()


def test_a_mask_of_length_1_is_full():
    assert made(CONFIG, "attention_mask", sequence_length=1)["attention_mask"].tolist() == [[1], [1]]


def test_a_mask_can_be_full():
    assert made(CONFIG, "attention_mask", mask_policy="full")["attention_mask"].all()


@pytest.mark.parametrize(("types", "found"), [(1, {0}), (2, {0, 1}), (5, {0, 1, 2, 3, 4}), (0, {0})])
def test_types_are_those_of_the_configuration(types, found):
    values = made({**CONFIG, "type_vocab_size": types}, "token_type_ids", batch_size=32)["token_type_ids"]
    assert set(np.unique(values)) == found


@pytest.mark.parametrize("side", ["left", "right"])
def test_positions_follow_the_mask(side):
    values = made(CONFIG, "position_ids", "attention_mask", batch_size=8, padding_side=side)
    mask = values["attention_mask"]
    assert (values["position_ids"] == np.maximum(mask.cumsum(-1) - 1, 0)).all()


def test_positions_follow_the_past():
    names = ("position_ids", "attention_mask", "input_ids")
    values = made(CONFIG, *names, task="text-generation-with-past", past_sequence_length=5, sequence_length=3)
    mask = values["attention_mask"]
    assert mask.shape == (2, 8)
    assert (values["position_ids"] == np.maximum(mask.cumsum(-1) - 1, 0)[:, 5:]).all()


def test_positions_without_a_mask_start_after_the_past():
    generator = DummyTextInputGenerator.of(
        build_context("text-generation-with-past", NormalizedConfig(CONFIG), {}, names=frozenset({"position_ids"}))
    )
    assert generator.generate("position_ids", "np").tolist() == [list(range(8, 24))] * 2


def test_every_choice_is_a_text():
    assert made(CONFIG, "input_ids", task="multiple-choice", num_choices=3)["input_ids"].shape == (2, 3, 16)


def test_texts_and_images_can_have_batches_of_their_own():
    context = build_context("x", NormalizedConfig(CONFIG), {"text_batch_size": 5}, dual=True)
    assert generator_for("input_ids", context).spec("input_ids").shape[0] == Dim("text_batch_size", 5)
    assert generator_for("pixel_values", context).spec("pixel_values").shape[0] == Dim("batch_size", 2)


# The last token.


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("length", [1, 2, 16])
def test_each_row_ends_its_sequence_once(side, length):
    names = ("input_ids", "attention_mask")
    values = made(CONFIG, *names, last_token="eos", batch_size=16, sequence_length=length, padding_side=side)
    ids, mask = values["input_ids"], values["attention_mask"]
    assert ((ids == 2).sum(-1) == 1).all()
    last = (mask * np.arange(1, length + 1)).argmax(-1)
    assert (ids[np.arange(16), last] == 2).all()


def test_an_encoder_and_decoder_that_classify_need_it():
    values = made({**CONFIG, "eos_token_id": [2, 3]}, "input_ids", encoder_decoder=True)["input_ids"]
    assert (values[:, -1] == 2).all()
    assert 2 not in made(CONFIG, "input_ids", encoder_decoder=True, last_token="any", batch_size=64)["input_ids"]


@pytest.mark.parametrize(
    ("config", "option", "error"), [(CONFIG, "bos", OptionError), ({"vocab_size": 9}, "eos", SourceError)]
)
def test_a_last_token_that_there_is_not(config, option, error):
    with pytest.raises(error):
        made(config, "input_ids", last_token=option)


# Decoders.


def test_decoder_ids_are_of_the_whole_vocabulary_and_start_with_the_start():
    ids = made({**CONFIG, "decoder_start_token_id": 2}, "decoder_input_ids", batch_size=64)["decoder_input_ids"]
    assert (ids[:, 0] == 2).all()
    assert set(np.unique(ids[:, 1:])) == set(range(100)) - {0, 1, 2, 50}


def test_a_decoder_can_have_a_vocabulary_of_its_own():
    config = {"src_vocab_size": 9, "tgt_vocab_size": 50}
    values = made(config, "input_ids", "decoder_input_ids", batch_size=32, encoder_decoder=True)
    assert (values["input_ids"].max(), values["decoder_input_ids"].max()) == (8, 49)


def test_decoder_ids_after_a_past_do_not_start_again():
    config = {**CONFIG, "decoder_start_token_id": 2}
    ids = made(config, "decoder_input_ids", task="text2text-generation-with-past")["decoder_input_ids"]
    assert 2 not in ids


def test_a_decoders_mask_covers_its_past():
    names = ("decoder_input_ids", "decoder_attention_mask", "decoder_position_ids")
    sizes = {"past_decoder_sequence_length": 3, "decoder_sequence_length": 4, "batch_size": 8}
    values = made(CONFIG, *names, task="text2text-generation-with-past", **sizes)
    mask = values["decoder_attention_mask"]
    assert mask.shape == (8, 7)
    assert is_contiguous(mask)
    assert mask[:, -1].all()
    assert (values["decoder_position_ids"] == np.maximum(mask.cumsum(-1) - 1, 0)[:, 3:]).all()


def test_an_encoders_output_is_a_record_of_one_centred_tensor():
    generator = DummySeq2SeqDecoderTextInputGenerator("x", {"vocab_size": 9, "encoder": {"d_model": 64}}, batch_size=16)
    outputs = generator.generate("encoder_outputs", "np")
    assert isinstance(outputs, tuple)
    assert outputs.last_hidden_state is outputs[0]
    assert outputs.hidden_states is None
    (states,) = outputs
    assert states.shape == (16, 16, 64)
    assert abs(states.mean()) < 0.05
    assert abs(states.std() - 1) < 0.05


def test_codes_fold_their_books_into_the_batch():
    config = {"decoder": {"vocab_size": 32, "num_codebooks": 3}}
    generator = DummyCodebookDecoderTextInputGenerator("text-to-audio", config, batch_size=5)
    assert generator.spec("decoder_input_ids").sizes() == (15, 16)
    assert str(generator.spec("decoder_input_ids").shape[0]) == "batch_size * 3"
    assert generator.spec("decoder_attention_mask").sizes() == (5, 16)


def test_an_unknown_name_is_an_error_with_the_near_ones():
    with pytest.raises(OptionError, match="decoder_input_ids"):
        DummyDecoderTextInputGenerator("x", CONFIG).spec("decoder_inputs_ids")


# Boxes, trajectories, labels.


def test_boxes_are_boxes():
    boxes = DummyBboxInputGenerator("x", {**CONFIG, "max_2d_position_embeddings": 64}, batch_size=32).generate(
        "bbox", "np"
    )
    assert (boxes[..., 0] <= boxes[..., 2]).all()
    assert (boxes[..., 1] <= boxes[..., 3]).all()
    assert boxes.min() >= 0
    assert 60 < boxes.max() < 64


def test_a_trajectorys_mask_is_one():
    config = {"state_dim": 3, "act_dim": 2, "max_ep_len": 12}
    generator = DummyReinforcementLearningInputGenerator("reinforcement-learning", config, batch_size=8)
    mask = generator.generate("attention_mask", "np")
    assert mask.shape == (8, 12), "no longer than an episode"
    assert mask.dtype == np.int64
    assert is_contiguous(mask)
    assert (generator.generate("timesteps", "np") == np.maximum(mask.cumsum(-1) - 1, 0)).all()


@pytest.mark.parametrize(
    ("task", "config", "shape", "values"),
    [
        ("text-classification", {"num_labels": 3}, (64,), {0, 1, 2}),
        ("text-classification", {"id2label": {"0": "a", "1": "b", "2": "c"}}, (64,), {0, 1, 2}),
        ("text-classification", {"num_labels": 3, "problem_type": "multi_label_classification"}, (64, 3), {0.0, 1.0}),
        ("token-classification", {"num_labels": 2}, (64, 16), {0, 1}),
        ("multiple-choice", {}, (64,), {0, 1, 2, 3}),
        ("text-generation", {"vocab_size": 4}, (64, 16), {0, 1, 2, 3}),
        ("text2text-generation", {"vocab_size": 4}, (64, 16), {0, 1, 2, 3}),
        ("semantic-segmentation", {"num_labels": 2}, (64, 64, 64), {0, 1}),
    ],
)
def test_labels(task, config, shape, values):
    labels = DummyLabelsGenerator(task, config, batch_size=64).generate("labels", "np")
    assert labels.shape == shape
    assert set(np.unique(labels)) == values


def test_labels_of_a_regression_are_floats():
    spec = DummyLabelsGenerator("text-classification", {"num_labels": 1, "problem_type": "regression"}).spec("labels")
    assert (spec.dtype, spec.rank) == ("float32", 1)


def test_labels_ignore_padding():
    values = made({**CONFIG, "num_labels": 3}, "labels", "attention_mask", task="token-classification", batch_size=16)
    assert ((values["labels"] == -100) == (values["attention_mask"] == 0)).all()


@pytest.mark.parametrize("length", [1, 2, 3, 16])
def test_answers_start_before_they_end(length):
    values = made(
        CONFIG, "start_positions", "end_positions", task="question-answering", sequence_length=length, batch_size=64
    )
    assert (values["start_positions"] <= values["end_positions"]).all()
    assert (values["end_positions"] < length).all()
