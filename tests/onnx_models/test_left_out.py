"""What a class makes of inputs that are left out, caches of Transformers whose room is not their length, and ids of no row."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("onnxruntime")

from small_onnx_graphs import save_classifier, save_config, save_decoder, save_encoder, save_seq2seq_decoder

from dummyio.errors import DTypeError, OptionError, RunError
from dummyio_onnx.models.auto_model import AutoModelForONNX

IDS = np.array([[5, 6, 7, 8], [8, 9, 10, 3]])
LEFT = np.array([[0, 0, 1, 1], [1, 1, 1, 1]])
OPT = {"model_type": "opt", "num_hidden_layers": 2, "hidden_size": 8, "num_attention_heads": 2, "vocab_size": 11}


@pytest.fixture
def decoder(tmp_path: Path) -> Any:
    return AutoModelForONNX.from_pretrained(save_decoder(tmp_path / "model.onnx"))


def test_positions_are_counted_by_the_mask_if_the_class_counts_them_so(tmp_path):
    """OPT does not count hidden tokens, GPT-2 does: both numbers are what their classes compute."""
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    for kind in ("opt", "gpt2"):
        sizes = OPT if kind == "opt" else {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11}
        save_config(tmp_path, **{**sizes, "model_type": kind})
        model = AutoModelForONNX.from_pretrained(tmp_path, task="text-generation")
        places = LEFT.cumsum(1) * LEFT - 1 if kind == "opt" else np.broadcast_to(np.arange(4), (2, 4))
        places = places % 64  # OPT adds 2 first, the small graph does not: its row -1 is the last of 64
        for past in (0, 2):
            given = {"input_ids": IDS[:, past:], "attention_mask": LEFT}
            if past:
                given["past_key_values"] = model(input_ids=IDS[:, :past], attention_mask=LEFT[:, :past])[
                    "past_key_values"
                ]
            expected = model(**given, position_ids=places[:, past:])["logits"]
            np.testing.assert_array_equal(model(**given)["logits"], expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_what_opt_and_bart_make_equals_pytorch(tmp_path):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("onnxscript")
    import dummyio

    sizes = {"vocab_size": 40, "max_position_embeddings": 32}
    opt = transformers.OPTConfig(
        hidden_size=16, num_attention_heads=2, ffn_dim=16, num_hidden_layers=1, word_embed_proj_dim=16, **sizes
    )
    bart = transformers.BartConfig(
        d_model=16,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        encoder_ffn_dim=16,
        decoder_ffn_dim=16,
        **sizes,
    )
    ids, mask = torch.tensor(IDS), torch.tensor(LEFT)
    for kind, config, given in (
        ("OPTForCausalLM", opt, {"attention_mask": mask}),
        ("BartForConditionalGeneration", bart, {}),
    ):
        torch.manual_seed(0)
        model = getattr(transformers, kind)(config).eval()
        dummyio.export(model, tmp_path / kind)
        loaded = AutoModelForONNX.from_pretrained(tmp_path / kind)
        found, expected = loaded(input_ids=ids, **given).logits, model(input_ids=ids, **given).logits
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_a_decoder_whose_class_shifts_the_ids_does_so(tmp_path):
    torch = pytest.importorskip("torch")
    pytest.importorskip("transformers")
    save_encoder(tmp_path / "encoder_model.onnx")
    save_seq2seq_decoder(tmp_path / "decoder_model.onnx")
    for kind, tokens in (("bart", (8, 2)), ("mbart", (8,))):
        save_config(tmp_path, model_type=kind, vocab_size=11, decoder_start_token_id=2, pad_token_id=8)
        model = AutoModelForONNX.from_pretrained(tmp_path, task="text2text-generation")
        shift = importlib.import_module(f"transformers.models.{kind}.modeling_{kind}").shift_tokens_right
        shifted = shift(torch.tensor(IDS), *tokens).numpy()
        expected = model(input_ids=IDS, decoder_input_ids=shifted)["logits"]
        np.testing.assert_array_equal(model(input_ids=IDS)["logits"], expected)
    save_config(tmp_path, model_type="t5", vocab_size=11, decoder_start_token_id=2, pad_token_id=0)
    model = AutoModelForONNX.from_pretrained(tmp_path, task="text2text-generation")
    with pytest.raises(OptionError, match="decoder_input_ids was left out, and the class of this model does not make"):
        model(input_ids=IDS)


def test_the_room_of_a_static_cache_is_not_its_length(decoder):
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    first = decoder(input_ids=IDS[:, :2])["past_key_values"]
    config = transformers.GPT2Config(n_layer=2, n_head=2, n_embd=8)
    static = transformers.StaticCache(config=config, max_cache_len=16)
    for at, layer in enumerate(first):
        static.update(*map(torch.from_numpy, layer), at)
    expected = decoder(input_ids=IDS[:, 2:], past_key_values=first)
    found = decoder(input_ids=IDS[:, 2:], past_key_values=static)
    np.testing.assert_array_equal(found["logits"], expected["logits"])
    assert found["past_key_values"].get_seq_length() == 4


def test_a_window_does_not_lose_the_count_of_tokens(decoder):
    """The positions of what follows go on behind all tokens, not behind those that the window kept."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    from transformers.cache_utils import DynamicSlidingWindowLayer

    first = decoder(input_ids=IDS[:, :3])["past_key_values"]
    cache = transformers.DynamicCache()
    cache.layers = [DynamicSlidingWindowLayer(sliding_window=2) for _ in range(2)]
    for at, layer in enumerate(first):
        cache.update(*map(torch.from_numpy, layer), at)
    assert cache.layers[0].keys.shape[-2] == 1
    taken = decoder._flow._filler.take_cache(cache)
    assert (taken.length, taken.values[0].shape()) == (3, [2, 2, 1, 4])
    found = decoder(input_ids=IDS[:, 3:], past_key_values=cache)
    places = decoder(input_ids=IDS[:, 3:], past_key_values=cache, position_ids=np.full((2, 1), 3))
    np.testing.assert_array_equal(found["logits"], places["logits"])


@pytest.mark.parametrize("bad", [-1, 11], ids=["negative", "beyond"])
def test_ids_that_are_no_row_of_the_table_are_refused(tmp_path, decoder, bad):
    """A runtime counts a negative index from the end, so that it would be the last word."""
    ids = IDS.copy()
    ids[0, 0] = bad
    classifier = AutoModelForONNX.from_pretrained(save_classifier(tmp_path / "classifier.onnx"))
    for model in (decoder, classifier):
        with pytest.raises(RunError, match=r"input_ids has values from .*: .* has the rows 0 to 10. Give values in"):
            model(input_ids=ids)


def test_masks_of_floats_are_taken_if_they_are_ones_and_zeros(decoder):
    expected = decoder(input_ids=IDS, attention_mask=LEFT)["logits"]
    np.testing.assert_array_equal(decoder(input_ids=IDS, attention_mask=LEFT.astype(np.float32))["logits"], expected)
    with pytest.raises(DTypeError, match=r"attention_mask is float64 and has other values than 0 and 1"):
        decoder(input_ids=IDS, attention_mask=LEFT * 0.5)


def test_only_the_last_scores_are_returned_on_request(decoder):
    whole = decoder(input_ids=IDS)["logits"]
    np.testing.assert_array_equal(decoder(input_ids=IDS, logits_to_keep=1)["logits"], whole[:, -1:])
    np.testing.assert_array_equal(decoder(input_ids=IDS, logits_to_keep=np.array([1, 3]))["logits"], whole[:, [1, 3]])
    np.testing.assert_array_equal(decoder(input_ids=IDS, logits_to_keep=0)["logits"], whole)
    for bad in (-1, 1.5, "all"):
        with pytest.raises(OptionError, match="logits_to_keep="):
            decoder(input_ids=IDS, logits_to_keep=bad)


def test_types_that_mean_something_are_not_dropped(tmp_path):
    """Zeros are a type to GPT-2, whose class embeds token 0 then: a graph without them would compute something else."""
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    sizes = {"n_layer": 2, "n_embd": 8, "n_head": 2, "vocab_size": 11}
    types = np.zeros_like(IDS)
    for kind, refused in (("gpt2", True), ("opt", False)):
        save_config(tmp_path, **{**(sizes if refused else OPT), "model_type": kind})
        model = AutoModelForONNX.from_pretrained(tmp_path, task="text-generation")
        if refused:
            with pytest.raises(
                OptionError, match="token_type_ids means something to the class of this model, zeros too"
            ):
                model(input_ids=IDS, token_type_ids=types)
        else:
            model(input_ids=IDS, token_type_ids=types)


def test_positions_begin_where_those_of_the_class_do(tmp_path):
    """PaliGemma's begin with 1, in a call, in Transformers' generation, and in the loop of our own."""
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    from dummyio.huggingface.facts.left_out_inputs import PositionRule, read_position_rule
    from dummyio_onnx.models.flows import WholeModel
    from dummyio_onnx.models.generation.greedy import generate_greedily

    assert read_position_rule("PaliGemmaForConditionalGeneration", "paligemma") == PositionRule(first=1)
    save_decoder(tmp_path / "model.onnx")
    save_config(
        tmp_path, model_type="gpt2", n_layer=2, n_embd=8, n_head=2, vocab_size=11, bos_token_id=1, eos_token_id=2
    )
    decoder = AutoModelForONNX.from_pretrained(tmp_path, task="text-generation")
    left_out = dataclasses.replace(decoder._flow.left_out, positions=PositionRule(first=1))
    flow = decoder._flow = WholeModel(decoder._flow.parts[0], (), left_out)
    expected = IDS
    for _ in range(3):
        places = np.broadcast_to(np.arange(1, expected.shape[1] + 1), expected.shape)
        scores = decoder(input_ids=expected, position_ids=places)["logits"]
        np.testing.assert_array_equal(decoder(input_ids=expected)["logits"], scores)
        expected = np.concatenate([expected, scores[:, -1].argmax(-1)[:, None]], 1)
    options = {"max_new_tokens": 3, "min_new_tokens": 3}
    found = generate_greedily(flow, decoder.config, None, {"input_ids": IDS}, options)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(decoder.generate(IDS, **options, do_sample=False, pad_token_id=0), expected)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_a_decoder_of_half_precision_is_exported_with_its_past(tmp_path):
    """The cache is an input that no spec of the whole model has: its dtype is that of the weights."""
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    pytest.importorskip("onnxscript")
    import dummyio

    torch.manual_seed(0)
    config = transformers.GPT2Config(n_embd=16, n_head=2, n_layer=1, vocab_size=40, bos_token_id=1, eos_token_id=2)
    model = transformers.GPT2LMHeadModel(config).eval().half()
    dummyio.export(model, tmp_path / "model")
    loaded = AutoModelForONNX.from_pretrained(tmp_path / "model")
    ids = torch.tensor(IDS)
    found, expected = loaded(input_ids=ids).logits, model(input_ids=ids).logits
    assert found.dtype == torch.float16
    torch.testing.assert_close(found, expected, rtol=1e-2, atol=1e-3)
    options = {"max_new_tokens": 3, "do_sample": False, "pad_token_id": 0}
    assert torch.equal(loaded.generate(ids, **options), model.generate(ids, **options))
