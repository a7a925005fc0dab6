"""Configurations of the mainstream: described without torch, and what is made of them runs in the real models."""

import json
import subprocess
import sys

import pytest
import tiny_configs

import dummyio
from dummyio.errors import DimError, OptionError, SourceError
from dummyio.generators.base.dim_sizes import SizeWarning

transformers = pytest.importorskip("transformers")

TEXT = tiny_configs.TEXT
SMALL_ENCODER_DECODER = {**tiny_configs.PAIR, **tiny_configs.IDS, "encoder_layers": 2, "encoder_attention_heads": 4}
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "intermediate_size": 37,
    "image_size": 32,
}

CASES = {
    "BertForMaskedLM": (
        "BertConfig",
        TEXT | {"max_position_embeddings": 64},
        ["input_ids", "attention_mask", "token_type_ids"],
    ),
    "BertForMultipleChoice": ("BertConfig", TEXT, ["input_ids", "attention_mask", "token_type_ids"]),
    "GPT2LMHeadModel": (
        "GPT2Config",
        {
            "vocab_size": 99,
            "n_embd": 32,
            "n_layer": 2,
            "n_head": 4,
            "n_positions": 64,
            "bos_token_id": 98,
            "eos_token_id": 98,
        },
        ["input_ids", "attention_mask", "token_type_ids", "position_ids"],
    ),
    "LlamaForCausalLM": (
        "LlamaConfig",
        TEXT | {"num_key_value_heads": 2, "max_position_embeddings": 64},
        ["input_ids", "attention_mask", "position_ids"],
    ),
    "T5ForConditionalGeneration": (
        "T5Config",
        {
            "vocab_size": 99,
            "d_model": 32,
            "d_kv": 8,
            "d_ff": 37,
            "num_layers": 2,
            "num_heads": 4,
            "decoder_start_token_id": 0,
        },
        ["input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask"],
    ),
    "BartForConditionalGeneration": (
        "BartConfig",
        SMALL_ENCODER_DECODER | {"max_position_embeddings": 64},
        ["input_ids", "attention_mask", "decoder_input_ids", "decoder_attention_mask"],
    ),
    "ViTForImageClassification": ("ViTConfig", VISION | {"patch_size": 8}, ["pixel_values"]),
    "CLIPModel": (
        "CLIPConfig",
        {
            "text_config": TEXT
            | {"max_position_embeddings": 40, "eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0},
            "vision_config": VISION | {"patch_size": 8},
            "projection_dim": 16,
        },
        ["input_ids", "pixel_values", "attention_mask"],
    ),
    "WhisperForConditionalGeneration": (
        "WhisperConfig",
        SMALL_ENCODER_DECODER | {"num_mel_bins": 80, "max_source_positions": 30, "max_target_positions": 40},
        ["input_features", "attention_mask", "decoder_input_ids", "decoder_attention_mask"],
    ),
    "Wav2Vec2ForCTC": (
        "Wav2Vec2Config",
        {
            "vocab_size": 32,
            "hidden_size": 32,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "intermediate_size": 37,
            "conv_dim": [32, 32, 32],
            "conv_stride": [8, 8, 4],
            "conv_kernel": [8, 8, 4],
            "num_conv_pos_embeddings": 16,
            "num_conv_pos_embedding_groups": 2,
        },
        ["input_values", "attention_mask"],
    ),
}
WITH_PAST = {
    "GPT2LMHeadModel": "text-generation-with-past",
    "LlamaForCausalLM": "text-generation-with-past",
    "T5ForConditionalGeneration": "text2text-generation-with-past",
    "BartForConditionalGeneration": "text2text-generation-with-past",
}


def build(name, tmp_path):
    """Return a real model with random weights, and the file of its configuration."""
    kind, values, _ = CASES[name]
    model = getattr(transformers, name)(getattr(transformers, kind)(**values)).eval()
    model.config.architectures = [name]
    (tmp_path / "config.json").write_text(model.config.to_json_string(use_diff=False))
    return model, tmp_path / "config.json"


def run(model, inputs):
    """Run a forward pass; every output is finite."""
    torch = pytest.importorskip("torch")
    with torch.no_grad():
        result = model(**inputs)
    assert torch.isfinite(result[0]).all()
    return result


@pytest.mark.parametrize("name", CASES)
def test_the_model_runs_on_what_its_configuration_describes(name, tmp_path):
    model, path = build(name, tmp_path)
    spec = dummyio.describe(path)
    assert set(spec) == set(CASES[name][2])
    run(model, spec.generate("pt"))


@pytest.mark.parametrize("name", CASES)
def test_other_sizes_run_too(name, tmp_path):
    model, path = build(name, tmp_path)
    spec = dummyio.describe(path)
    for sizes in spec.probes()[:3]:
        run(model, spec.generate("pt", **sizes))


@pytest.mark.parametrize("name", CASES)
def test_a_live_model_has_the_same_spec_as_its_configuration(name, tmp_path):
    model, path = build(name, tmp_path)
    assert dummyio.describe(model) == dummyio.describe(path) == dummyio.describe(json.loads(path.read_text()))
    assert dummyio.describe(model.config) == dummyio.describe(tmp_path)


@pytest.mark.parametrize("name", WITH_PAST)
def test_a_cache_is_what_the_model_takes(name, tmp_path):
    model, path = build(name, tmp_path)
    spec = dummyio.describe(path, task=WITH_PAST[name])
    assert spec.task == WITH_PAST[name]
    assert "past_key_values.0.key" in dict(spec.leaves) or "past_key_values.0.decoder.key" in dict(spec.leaves)
    for past in (0, 1, 7):
        dims = {key: past for key in spec.dims if key.startswith("past")}
        run(model, spec.generate("pt", **dims))


def test_decoding_with_a_mask_equals_the_unpadded_row(tmp_path):
    model, path = build("LlamaForCausalLM", tmp_path)
    torch = pytest.importorskip("torch")
    spec = dummyio.describe(path, padding_side="left", batch_size=3, sequence_length=9)
    inputs = spec.generate("pt", seed=3)
    together = run(model, inputs).logits
    for row, mask in enumerate(inputs["attention_mask"].bool()):
        alone = run(model, {"input_ids": inputs["input_ids"][row][mask][None]}).logits
        torch.testing.assert_close(together[row][mask][None], alone, atol=1e-5, rtol=1e-4)


def test_no_framework_is_imported():
    code = (
        "import sys, dummyio; dummyio.describe({'model_type': 'bert', 'architectures': ['BertModel'], 'vocab_size': 9});"
        "print(sorted({m.split('.')[0] for m in sys.modules} & {'torch', 'transformers', 'tensorflow', 'jax', 'onnx'}))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_defaults_of_the_class_fill_what_the_file_leaves_out():
    spec = dummyio.describe({"model_type": "bert", "architectures": ["BertModel"]})
    assert spec["input_ids"].values.high == 30522
    assert spec.dims["sequence_length"].max == 512


def test_a_task_that_is_asked_for_gets_what_its_export_needs():
    bart = {"model_type": "bart", "architectures": ["BartForConditionalGeneration"]}
    assert set(dummyio.describe(bart, task="text2text-generation")) == {
        "input_ids",
        "attention_mask",
        "decoder_input_ids",
    }
    assert "decoder_attention_mask" in dummyio.describe(bart)
    assert "decoder_attention_mask" in dummyio.describe(bart, task="text2text-generation", optional_inputs=True)
    assert "decoder_attention_mask" not in dummyio.describe(bart, optional_inputs=False)


def test_the_task_chooses_the_class():
    bert = {"model_type": "bert", "architectures": ["BertForMaskedLM"]}
    assert dummyio.describe(bert).task == "fill-mask"
    assert dummyio.describe(bert, task="question-answering").provenance["model"] == "BertForQuestionAnswering"
    with pytest.raises(SourceError, match="It can do fill-mask"):
        dummyio.describe(bert, task="image-classification")
    with pytest.raises(OptionError, match="fill-mask"):
        dummyio.describe(bert, task="fill-msk")


def test_the_caller_wins_over_the_configuration_and_is_warned():
    vit = {"model_type": "vit", "architectures": ["ViTModel"], "image_size": 224}
    assert dummyio.describe(vit)["pixel_values"].sizes() == (2, 3, 224, 224)
    with pytest.warns(SizeWarning, match="image_size"):
        assert dummyio.describe(vit, height=64, width=32)["pixel_values"].sizes() == (2, 3, 64, 32)


@pytest.mark.parametrize(
    ("keywords", "error", "message"),
    [
        ({"batch_sze": 3}, OptionError, "batch_size"),
        ({"height": 3}, OptionError, "no dim of"),
        ({"sequence_length": 513}, DimError, "at most 512"),
        ({"batch_size": -1}, DimError, "not negative"),
        ({"batch_size": 0}, DimError, "at least 1"),
        ({"vocab_size": 0}, SourceError, "vocab_size=0"),
        ({"padding_side": "middle"}, OptionError, "left, right"),
        ({"int_dtype": "int46"}, dummyio.errors.DTypeError, "int64"),
    ],
)
def test_what_cannot_be_meant_is_an_error(keywords, error, message):
    with pytest.raises(error, match=message):
        dummyio.describe({"model_type": "bert", "architectures": ["BertModel"]}, **keywords)


def test_random_sizes_are_drawn_once_from_the_seed():
    llama = {"model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    ranges = {"random_batch_size_range": (1, 9), "random_sequence_length_range": (4, 40)}
    specs = [dummyio.describe(llama, task="text-generation-with-past", seed=seed, **ranges) for seed in range(20)]
    assert len({(s.dims["batch_size"].size, s.dims["sequence_length"].size) for s in specs}) > 5
    assert specs[3] == dummyio.describe(llama, task="text-generation-with-past", seed=3, **ranges)


@pytest.mark.parametrize(
    "text", [b"", b"{", b"[1, 2]", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b'{"a": ' * 100_000]
)
def test_a_file_that_is_no_configuration_is_an_error(text, tmp_path):
    (tmp_path / "config.json").write_bytes(text)
    with pytest.raises(SourceError, match=r"config\.json"):
        dummyio.describe(tmp_path)
