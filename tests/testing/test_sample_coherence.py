"""Generated samples are coherent; incoherent ones are found."""

import numpy as np
import pytest

import dummyio
from dummyio.input_spec import InputSpec
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Boxes, PaddingMask, Positions, TokenIds
from dummyio.testing.sample_coherence import find_incoherent_inputs

PLAIN = {"num_hidden_layers": 2}
CASES = [
    ("albert", "fill-mask", {}),
    ("bart", "text-classification", {}),
    ("bart", "text2text-generation", {}),
    ("bart", "text2text-generation-with-past", {}),
    ("bert", "text-classification", {}),
    ("bert", "multiple-choice", {}),
    ("bert", "question-answering", {"sequence_length": 1}),
    ("bloom", "text-generation-with-past", {}),
    ("clip", "zero-shot-image-classification", {"text_batch_size": 3}),
    ("deepseek_v3", "text-generation-with-past", {}),
    ("detr", "object-detection", {}),
    ("falcon", "text-generation-with-past", {}),
    ("gpt2", "text-generation", {"padding_side": "left"}),
    ("gpt2", "text-generation-with-past", {"past_sequence_length": 0}),
    ("layoutlm", "token-classification", {}),
    ("llama", "text-generation-with-past", {"sequence_length": 1}),
    ("longformer", "fill-mask", {"mask_policy": "full"}),
    ("m2m_100", "text2text-generation", {"decoder_sequence_length": 5}),
    ("marian", "text2text-generation-with-past", {}),
    ("mistral", "text-generation-with-past", {}),
    ("mpnet", "token-classification", {}),
    ("roberta", "fill-mask", {"mask_policy": "shortest"}),
    ("t5", "text2text-generation", {}),
    ("vit", "image-classification", {}),
    ("wav2vec2", "automatic-speech-recognition", {}),
    ("whisper", "automatic-speech-recognition", {}),
    ("xlm-roberta", "question-answering", {}),
]


@pytest.mark.parametrize(("model_type", "task", "options"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_what_is_generated_is_coherent(model_type, task, options):
    pytest.importorskip("transformers")
    config = {"model_type": model_type, **PLAIN}
    for asked in (False, True):
        spec = dummyio.describe(config, task=task, optional_inputs=asked, **options)
        for seed in range(3):
            assert find_incoherent_inputs(spec, spec.feeds(seed=seed), config) == []


BATCH, LENGTH = dummyio.Dim("batch_size", 2), dummyio.Dim("sequence_length", 6)
PAST = dummyio.Dim("past_sequence_length", 3, min=0)
SPEC = InputSpec(
    {
        "input_ids": TensorSpec(
            "", (BATCH, LENGTH), "int64", TokenIds(50, mask="attention_mask", last=2, reserved=(2,))
        ),
        "attention_mask": TensorSpec("", (BATCH, PAST + LENGTH), "int64", PaddingMask("left")),
        "position_ids": TensorSpec("", (BATCH, LENGTH), "int64", Positions("attention_mask")),
        "token_type_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(2)),
        "decoder_input_ids": TensorSpec("", (BATCH, LENGTH), "int64", TokenIds(50, first=1, reserved=(1,))),
        "bbox": TensorSpec("", (BATCH, LENGTH, 4), "int64", Boxes(0, 10)),
        "pixel_values": TensorSpec("", (BATCH, 3)),
        "past_key_values": Nest.of("cache", [Nest.of("tuple", {"key": TensorSpec("", (BATCH, PAST))})]),
    }
)
CONFIG = {"vocab_size": 50, "type_vocab_size": 2, "pad_token_id": 0, "decoder_start_token_id": 1}


def changed(path, change):
    values = {name: np.array(value) for name, value in SPEC.feeds(seed=1).items()}
    values[path] = change(values[path])
    return values


def put(place, value):
    def change(array):
        array[place] = value
        return array

    return change


@pytest.mark.parametrize(
    ("path", "change", "reason"),
    [
        ("input_ids", put((0, 0), 50), "where there are 50"),
        ("input_ids", put((0, 0), 2), "end token 2 once"),
        ("input_ids", lambda ids: ids[:, :-1], "has shape"),
        ("input_ids", lambda ids: ids.astype(np.int32), "described as int64"),
        ("attention_mask", put((0, 0), 2), "more than 0 and 1"),
        ("attention_mask", put((1, slice(None)), 0), "keeps nothing"),
        ("attention_mask", put((0, 4), 0), "more than one end"),
        ("position_ids", lambda ids: ids + 1, "does not count"),
        ("token_type_ids", put((0, 0), 2), "where there are 2"),
        ("decoder_input_ids", put((1, 0), 3), "start token 1"),
        ("bbox", put((0, 0), (5, 0, 4, 0)), "wrong order"),
        ("bbox", put((0, 0), (5, 0, 10, 0)), "outside"),
        ("pixel_values", put((0, 0), np.nan), "not finite"),
    ],
)
def test_what_does_not_fit_is_found(path, change, reason):
    config = {**CONFIG}
    if path == "decoder_input_ids":  # with a past a decoder goes on from anywhere
        spec = InputSpec(
            {name: node for name, node in SPEC.items() if name not in ("past_key_values", "attention_mask")}
            | {"attention_mask": SPEC["attention_mask"].replace(shape=(BATCH, LENGTH))}
        )
        values = {name: np.array(value) for name, value in spec.feeds(seed=1).items()}
        values[path] = change(values[path])
        assert reason in " ".join(map(str, find_incoherent_inputs(spec, values, config)))
        return
    assert reason in " ".join(map(str, find_incoherent_inputs(SPEC, changed(path, change), config)))


def test_ids_that_are_no_pads_under_a_mask_are_found():
    values = {name: np.array(value) for name, value in SPEC.feeds(seed=1).items()}
    values["attention_mask"][1] = (0,) * 8 + (1,)
    values["input_ids"][1] = (5, 6, 7, 8, 9, 2)
    assert "not the pad id" in " ".join(map(str, find_incoherent_inputs(SPEC, values, CONFIG)))


def test_a_placeholder_must_stand_for_an_image():
    config = {**CONFIG, "image_token_id": 7}
    values = {name: np.array(value) for name, value in SPEC.feeds(seed=1).items()}
    values["input_ids"][values["input_ids"] == 7] = 8
    assert "placeholder 7" in " ".join(map(str, find_incoherent_inputs(SPEC, values, config)))


def test_inputs_that_are_missing_or_unknown_are_named():
    values = SPEC.feeds()
    values["other"] = values.pop("bbox")
    assert sorted(map(str, find_incoherent_inputs(SPEC, values))) == [
        "bbox: has no value.",
        "other: is not an input of the spec.",
    ]
