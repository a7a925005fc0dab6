"""Tokens: Transformers' generation on our steps, and the greedy loop of our own, against PyTorch's model."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxruntime")

import dummyio
from dummyio.errors import OptionError
from dummyio.onnx import AutoModelForONNX
from dummyio_onnx.models.cache import OnnxCache
from dummyio_onnx.models.generation.greedy import generate_greedily

pytestmark = pytest.mark.filterwarnings("ignore")
IDS = torch.tensor([[5, 6, 7, 8], [9, 10, 11, 12]])
LEFT = torch.tensor([[0, 0, 1, 1], [1, 1, 1, 1]])
RIGHT = LEFT.flip(1)


@pytest.fixture(scope="module")
def decoder(gpt2):
    return AutoModelForONNX.from_pretrained(gpt2[1])


WAYS = [
    {"do_sample": False},
    {"do_sample": False, "attention_mask": LEFT},
    {"do_sample": False, "min_new_tokens": 9},
    {"num_beams": 3},
    {"num_beams": 3, "num_return_sequences": 2, "attention_mask": LEFT},
    {"do_sample": True, "top_k": 5},
    {"do_sample": False, "use_cache": False},
    {"do_sample": False, "repetition_penalty": 1.3, "no_repeat_ngram_size": 2},
]


@pytest.mark.parametrize("options", WAYS, ids="-".join)
def test_tokens_equal_those_of_pytorch(gpt2, decoder, options):
    found, expected = [], gpt2[0]
    for model in (decoder, expected):
        torch.manual_seed(0)
        found.append(model.generate(IDS, max_new_tokens=10, pad_token_id=0, **options))
    assert torch.equal(*found)
    assert len(set(found[0][0].tolist())) > 4


def test_arrays_in_are_arrays_out(decoder):
    found = decoder.generate(IDS.numpy(), max_new_tokens=4, do_sample=False, pad_token_id=0)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(
        found, decoder.generate(IDS, max_new_tokens=4, do_sample=False, pad_token_id=0).numpy()
    )


def test_scores_and_cache_are_returned(gpt2, decoder):
    options = {
        "max_new_tokens": 4,
        "do_sample": False,
        "return_dict_in_generate": True,
        "output_scores": True,
        "pad_token_id": 0,
    }
    found, expected = (model.generate(IDS, **options) for model in (decoder, gpt2[0]))
    for one, other in zip(found.scores, expected.scores, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-4)
    assert isinstance(found.past_key_values, OnnxCache)
    assert found.past_key_values.get_seq_length() == expected.past_key_values.get_seq_length()


def test_generation_goes_on_from_a_cache(decoder):
    options = {"do_sample": False, "pad_token_id": 0, "min_new_tokens": 3}
    first = decoder.generate(IDS, max_new_tokens=3, return_dict_in_generate=True, **options)
    ids = first.sequences
    again = decoder.generate(ids, past_key_values=first.past_key_values, max_new_tokens=3, **options)
    assert torch.equal(again, decoder.generate(ids, max_new_tokens=3, **options))


@pytest.mark.parametrize(
    "option", [{"prompt_lookup_num_tokens": 3}, {"assistant_model": object()}, {"cache_implementation": "static"}]
)
def test_what_the_graph_cannot_do_is_refused(decoder, option):
    with pytest.raises(OptionError, match=f"{next(iter(option))}"):
        decoder.generate(IDS, max_new_tokens=3, **option)


def test_a_pipeline_writes_the_same_text(gpt2, decoder):
    tokenizers = pytest.importorskip("tokenizers")
    words = {"[PAD]": 0, "[UNK]": 3, "[END]": 2, **{f"w{at}": at for at in range(4, 40)}}
    split = tokenizers.Tokenizer(tokenizers.models.WordLevel(words, unk_token="[UNK]"))
    split.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=split, pad_token="[PAD]", unk_token="[UNK]", eos_token="[END]"
    )
    texts = [
        transformers.pipeline("text-generation", model=model, tokenizer=tokenizer)(
            "w5 w6 w7", max_new_tokens=6, do_sample=False
        )
        for model in (decoder, gpt2[0])
    ]
    assert texts[0] == texts[1]


def test_the_page_runs(gpt2):
    """The examples of the page run one after the other, on a folder of GPT-2."""
    page = (Path(__file__).parents[2] / "docs" / "how" / "run-onnx-models.md").read_text()
    names = {
        "folder": gpt2[1],
        "ids": IDS.numpy(),
        "following": IDS.numpy()[:, :1],
        "onnxruntime": pytest.importorskip("onnxruntime"),
        "spec": dummyio.InputSpec.load(gpt2[1] / "dummyio.json"),
    }
    for block in re.findall(r"```python\n(.*?)```", page, re.DOTALL):
        exec(block, names)
    assert names["tokens"].shape == (2, 12)
    assert names["step"].past_key_values.get_seq_length() == 5


GREEDY = [
    {},
    {"attention_mask": LEFT},
    {"min_new_tokens": 12},
    {"eos_token_id": [20, 30], "pad_token_id": 0},
    {"max_length": 9},
    {"forced_bos_token_id": 7},
    {"forced_eos_token_id": 7},
    {"suppress_tokens": [11, 12, 13], "begin_suppress_tokens": [14]},
    {"use_cache": False},
]


@pytest.mark.parametrize("options", GREEDY, ids=lambda options: "-".join(options) or "plain")
def test_the_greedy_loop_writes_what_transformers_writes(decoder, options):
    options = {**({} if "max_length" in options else {"max_new_tokens": 12}), **options}
    mask = options.pop("attention_mask", None)
    given = {"input_ids": IDS.numpy(), **({} if mask is None else {"attention_mask": mask.numpy()})}
    own = generate_greedily(decoder._flow, decoder.config, decoder.generation_config, given, options)
    expected = decoder.generate(IDS, do_sample=False, attention_mask=mask, **options)
    np.testing.assert_array_equal(own, expected.numpy())


def test_the_greedy_loop_refuses_what_it_does_not_obey(decoder):
    with pytest.raises(
        OptionError, match=r"repetition_penalty=1.2: without transformers and torch, generation is greedy"
    ):
        generate_greedily(decoder._flow, decoder.config, None, {"input_ids": IDS.numpy()}, {"repetition_penalty": 1.2})
    with pytest.raises(OptionError, match=r"input_ids has 4 tokens, and max_length=3 leaves none to write"):
        generate_greedily(decoder._flow, decoder.config, None, {"input_ids": IDS.numpy()}, {"max_length": 3})
    with pytest.raises(OptionError, match="no input_ids was given"):
        generate_greedily(decoder._flow, decoder.config, None, {}, {})


@pytest.mark.slow
@pytest.mark.parametrize(
    "options", [{}, {"attention_mask": RIGHT}, {"num_beams": 3}, {"num_beams": 2, "num_return_sequences": 2}]
)
def test_parts_of_an_encoder_decoder_write_the_same_tokens(t5, options):
    model, folder = t5
    loaded = AutoModelForONNX.from_pretrained(folder)
    assert [part.path.name for part in loaded._flow.parts] == [
        "encoder_model.onnx",
        "decoder_model.onnx",
        "decoder_with_past_model.onnx",
    ]
    found, expected = (each.generate(IDS, max_new_tokens=8, do_sample=False, **options) for each in (loaded, model))
    assert torch.equal(found, expected)
    if "num_beams" not in options:
        given = {"input_ids": IDS.numpy(), **{name: mask.numpy() for name, mask in options.items()}}
        own = generate_greedily(loaded._flow, loaded.config, loaded.generation_config, given, {"max_new_tokens": 8})
        np.testing.assert_array_equal(own, expected.numpy())


@pytest.mark.slow
def test_a_step_of_an_encoder_decoder_equals_pytorch(t5):
    model, folder = t5
    loaded = AutoModelForONNX.from_pretrained(folder)
    ids = torch.tensor([[0, 3], [0, 4]])
    first, expected = (each(input_ids=IDS, attention_mask=RIGHT, decoder_input_ids=ids) for each in (loaded, model))
    assert type(first) is type(expected)
    torch.testing.assert_close(first.logits, expected.logits, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(
        first.encoder_last_hidden_state, expected.encoder_last_hidden_state, rtol=1e-3, atol=1e-4
    )
    following = [
        each(
            attention_mask=RIGHT,
            decoder_input_ids=ids[:, :1],
            encoder_outputs=(found.encoder_last_hidden_state,),
            past_key_values=found.past_key_values,
        ).logits
        for each, found in ((loaded, first), (model, expected))
    ]
    torch.testing.assert_close(*following, rtol=1e-3, atol=1e-4)
    with pytest.raises(
        OptionError, match="decoder_input_ids was left out, and the class of this model does not make them"
    ):
        loaded(input_ids=IDS)  # as PyTorch's model, which raises too
