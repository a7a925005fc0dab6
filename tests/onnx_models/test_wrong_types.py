"""Values of a wrong type, given to generation, to a cache, or in a file: an error of ours says what came and what to give."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from small_onnx_graphs import save_config, save_decoder

from dummyio.errors import DTypeError, DummyioError, OptionError, RunError, SourceError
from dummyio_onnx.models.auto_model import AutoModelForONNX
from dummyio_onnx.models.generation.greedy import generate_greedily

IDS = np.array([[5, 6, 7]])
GPT2 = {
    "model_type": "gpt2",
    "architectures": ["GPT2LMHeadModel"],
    "n_layer": 2,
    "n_embd": 8,
    "n_head": 2,
    "vocab_size": 11,
}
USUAL = {"max_new_tokens": 2, "do_sample": False, "pad_token_id": 0}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("decoder")
    save_decoder(folder / "model.onnx")
    save_config(folder, **GPT2)
    return folder


@pytest.fixture(scope="module")
def decoder(folder: Path) -> Any:
    return AutoModelForONNX.from_pretrained(folder)


@pytest.mark.parametrize(
    "option",
    [
        {"max_new_tokens": "3"},
        {"num_beams": 0},
        {"temperature": "hot"},
        {"eos_token_id": "end"},
        {"eos_token_id": [1, "end"]},
        {"stop_strings": 5},
        {"use_cache": "no"},
        {"bad_words_ids": 5},
        {"suppress_tokens": 5},
        {"logits_processor": 5},
        {"prefix_allowed_tokens_fn": 5},
        {"streamer": 5},
        {"generation_config": 5},
        {"past_key_values": 5},
        {"attention_mask": "ones"},
        {"position_ids": 5},
    ],
    ids=str,
)
def test_generation_options_of_a_wrong_type(decoder, option):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    with pytest.raises((OptionError, DTypeError), match=rf"{next(iter(option))}(=| is a ).*: give "):
        decoder.generate(IDS, **{**USUAL, **option})


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        ("w5 w6", "input_ids is a str: give a NumPy array or a tensor"),
        ([[5, 6]], "input_ids is a list: give a NumPy array or a tensor"),
        (IDS[0], r"input_ids has the shape \(3,\): generation goes on from rows of at least one token"),
        (IDS[:, :0], r"input_ids has the shape \(1, 0\): generation goes on from rows of at least one token"),
        (IDS / 2, "input_ids is float64: ids of tokens are whole numbers"),
        (IDS + 9, "input_ids has values from 14 to 16"),
    ],
    ids=["text", "list", "row", "nothing", "floats", "beyond"],
)
def test_what_generation_cannot_start_from(decoder, ids, message):
    """In both ways: Transformers' generation, and the loop that needs no Transformers."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    with pytest.raises((RunError, DTypeError), match=message):
        decoder.generate(ids, **USUAL)
    with pytest.raises((RunError, DTypeError), match=message):
        generate_greedily(decoder._flow, decoder.config, None, {"input_ids": ids}, {"max_new_tokens": 2})


def test_the_loop_checks_its_options(decoder):
    for option in ({"max_new_tokens": "2"}, {"eos_token_id": "end"}):
        with pytest.raises(OptionError, match=r"=.*: give "):
            generate_greedily(decoder._flow, decoder.config, None, {"input_ids": IDS}, option)


@pytest.mark.parametrize(
    "values",
    [
        {"eos_token_id": "end"},
        {"num_beams": "two"},
        {"num_beams": 0},
        {"stop_strings": 5},
        {"suppress_tokens": 5},
        {"max_new_tokens": "3"},
    ],
    ids=str,
)
def test_a_generation_config_with_wrong_values(folder, values):
    file = folder / "generation_config.json"
    file.write_text(json.dumps(values))
    try:
        with pytest.raises(SourceError, match=r"generation_config.json: .* Correct it"):
            AutoModelForONNX.from_pretrained(folder)
    finally:
        file.unlink()


@pytest.mark.parametrize("name", ["prompt_lookup_num_tokens", "assistant_early_exit", "use_mtp"])
def test_a_generation_config_with_assisted_generation(folder, name):
    """The files would not do it, and the error says how to generate without it."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    file = folder / "generation_config.json"
    file.write_text(json.dumps({name: 1 if name != "use_mtp" else True}))
    try:
        model = AutoModelForONNX.from_pretrained(folder)
    finally:
        file.unlink()
    with pytest.raises(OptionError, match=rf"{name}: assisted generation .* Generate without it, {name}=None"):
        model.generate(IDS, **USUAL)
    assert model.generate(IDS, **{**USUAL, name: None}).shape == (1, 5)


@pytest.mark.parametrize(
    "use",
    [
        lambda cache: cache.crop("1"),
        lambda cache: cache.crop(1.5),
        lambda cache: cache.reorder("x"),
        lambda cache: cache.reorder([1]),
        lambda cache: cache.reorder([-1]),
        lambda cache: cache.reorder([0.0]),
        lambda cache: cache.reorder([[0], [0, 0]]),
        lambda cache: cache[2],
        lambda cache: cache["0"],
    ],
)
def test_a_cache_used_with_wrong_values(decoder, use):
    with pytest.raises(DummyioError, match=r"(?i)give "):
        use(decoder(input_ids=IDS)["past_key_values"])


def test_a_copy_of_a_cache_continues_as_the_cache_does(decoder):
    """Prompts that many texts share are run once, and their cache is copied for each, as in Transformers."""
    cache = decoder(input_ids=IDS)["past_key_values"]
    made = copy.deepcopy(cache)
    steps = [decoder(input_ids=IDS[:, :1], past_key_values=each)["logits"] for each in (made, cache, made)]
    np.testing.assert_array_equal(steps[0], steps[1])
    np.testing.assert_array_equal(steps[0], steps[2])


def test_generation_goes_on_from_tuples(decoder):
    """A cache of another kind than the graph's is read before Transformers asks it for its length."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    first = decoder.generate(IDS, return_dict_in_generate=True, **USUAL)
    ids = first.sequences.numpy()
    options = {**USUAL, "past_key_values": first.past_key_values.to_legacy()}
    np.testing.assert_array_equal(decoder.generate(ids, **options), decoder.generate(ids, **USUAL))
