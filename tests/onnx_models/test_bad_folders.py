"""Folders that are no model, or not one model, and what a model cannot do: each error says what came, the rule, what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("onnxruntime")

from small_onnx_graphs import (
    save_classifier,
    save_config,
    save_decoder,
    save_encoder,
    save_image_classifier,
    save_seq2seq_decoder,
)

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio_onnx.models.auto_model import AutoModelForONNX

load = AutoModelForONNX.from_pretrained
BERT = {"model_type": "bert", "architectures": ["BertForSequenceClassification"], "vocab_size": 11}


def save_parts(folder: Path, *, size: int = 4) -> Path:
    save_encoder(folder / "encoder_model.onnx")
    save_seq2seq_decoder(folder / "decoder_model.onnx", size=size)
    return folder


def test_folders_without_a_model(tmp_path):
    with pytest.raises(
        SourceError, match=r"nowhere: no such folder. Give the folder of an exported model; nothing is downloaded"
    ):
        load(tmp_path / "nowhere")
    with pytest.raises(
        SourceError, match=r"has no .onnx file. Export the model into it: dummyio.export\(model, folder\)"
    ):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trust", "no"),
        ("trust", 1),
        ("task", 5),
        ("file_name", ["model.onnx"]),
        ("encoder_file_name", {}),
        ("subfolder", 5),
        ("use_io_binding", "no"),
    ],
)
def test_options_of_a_wrong_type(tmp_path, name, value):
    save_classifier(tmp_path / "model.onnx")
    with pytest.raises(OptionError, match=rf"{name}=.*: give "):
        load(tmp_path, **{name: value})


@pytest.mark.parametrize("folder", [5, None, b"folder", [], {}], ids=repr)
def test_what_is_not_a_folder(folder):
    with pytest.raises(OptionError, match="is not a path"):
        load(folder)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (
            ["encoder_model"],
            r"encoder_model.onnx has no decoder: decoder_model.onnx or decoder_model_merged.onnx is missing",
        ),
        (["decoder_with_past_model"], r"decoder_with_past_model.onnx has no first step: decoder_model.onnx is missing"),
        (["encoder_model", "decoder_with_past_model"], r"has no first step: decoder_model.onnx is missing"),
        (
            ["model", "encoder_model", "decoder_model"],
            r"model.onnx is a whole model, and encoder_model.onnx, decoder_model.onnx are",
        ),
        (
            ["model", "model_quantized"],
            r"model.onnx and model_quantized.onnx could both be the model. Choose one: file_name=",
        ),
        (["a", "b"], r"it has several models, a.onnx, b.onnx, and none has a usual name. Choose one with file_name="),
    ],
)
def test_parts_are_missing_or_too_many(tmp_path, files, message):
    for name in files:
        save_encoder(tmp_path / f"{name}.onnx")
    with pytest.raises(SourceError, match=message):
        load(tmp_path)


def test_one_of_several_files_is_chosen(tmp_path):
    save_classifier(tmp_path / "a.onnx", labels=3)
    save_image_classifier(tmp_path / "b.onnx")
    assert load(tmp_path, file_name="b.onnx").main_input_name == "pixel_values"
    assert load(tmp_path / "a.onnx").main_input_name == "input_ids"
    with pytest.raises(OptionError, match=r"file_name='c.onnx': .* has no such ONNX file. .*a.onnx"):
        load(tmp_path, file_name="c.onnx")
    with pytest.raises(OptionError, match=r"subfolder='../x': .* has no such folder"):
        load(tmp_path, subfolder="../x")


def test_files_in_a_subfolder(tmp_path):
    save_config(tmp_path, **BERT)
    save_classifier(tmp_path / "onnx" / "model.onnx")
    assert load(tmp_path, subfolder="onnx").task == "text-classification"


def test_parts_of_different_models(tmp_path):
    with pytest.raises(
        SourceError, match=r"encoder_model.onnx returns states of 4 numbers, and decoder_model.onnx takes 5: they are"
    ):
        load(save_parts(tmp_path, size=5))


def test_a_damaged_file(tmp_path):
    (tmp_path / "model.onnx").write_bytes(b"no model")
    with pytest.raises(SourceError, match=r"not a whole ONNX model|not an ONNX model"):
        load(tmp_path)


def test_external_data_stays_in_the_folder(tmp_path):
    onnx = pytest.importorskip("onnx")
    path = save_classifier(tmp_path / "model.onnx")
    onnx.save(onnx.load(path), path, save_as_external_data=True, location="weights", size_threshold=0)
    model = onnx.load(path, load_external_data=False)
    for tensor in model.graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                entry.value = "../weights"
    onnx.save(model, path)
    with pytest.raises(SourceError, match=r"\.\./weights"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"config.json: not valid JSON"),
        ("[]", r"config.json: a JSON object is due here, not a list"),
        ('{"architectures": 3, "model_type": "bert"}', r"architectures=3: a list of names of classes is needed"),
    ],
)
def test_a_damaged_configuration(tmp_path, content, message):
    save_classifier(tmp_path / "model.onnx")
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(SourceError, match=message):
        load(tmp_path)


def test_the_configuration_of_another_kind_of_model(tmp_path):
    pytest.importorskip("transformers")
    save_image_classifier(tmp_path / "model.onnx")
    save_config(tmp_path, **BERT)
    with pytest.raises(
        SourceError, match=r"the graph takes pixel_values, and config.json is of a BertForSequenceClassification"
    ):
        load(tmp_path)


def test_the_configuration_of_another_vocabulary_or_geometry(tmp_path):
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    own = {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": 8,
        "n_head": 2,
        "n_layer": 2,
        "vocab_size": 11,
    }
    save_config(tmp_path, **own)
    assert load(tmp_path).task == "text-generation"
    save_config(tmp_path, **(own | {"vocab_size": 12}))
    with pytest.raises(
        SourceError, match=r"model.onnx returns scores of 11 tokens, and config.json has a vocabulary of 12"
    ):
        load(tmp_path)
    for change, message in (
        ({"n_layer": 3}, r"keeps 2 layers of \[2, 4\] numbers, and config.json has 3 layers of 2 heads and 4 numbers"),
        ({"n_embd": 16}, r"keeps 2 layers of \[2, 4\] numbers, and config.json has 2 layers of 2 heads and 8 numbers"),
    ):
        save_config(tmp_path, **(own | change))
        with pytest.raises(SourceError, match=message):
            load(tmp_path)


def test_a_task_that_the_model_does_not_do(tmp_path):
    save_classifier(tmp_path / "model.onnx")
    with pytest.raises(
        OptionError, match=r"task='object-detection': this model returns logits. It can do .*text-classification"
    ):
        load(tmp_path, task="object-detection")
    with pytest.raises(OptionError, match=r"task='text-clasification' is unknown. Did you mean 'text-classification'"):
        load(tmp_path, task="text-clasification")
    assert load(tmp_path, task="sentiment-analysis").task == "text-classification"
    save_config(tmp_path, **BERT)
    with pytest.raises(OptionError, match=r"is a BertForSequenceClassification. It can do text-classification: choose"):
        load(tmp_path, task="image-classification")


def test_a_model_that_does_not_write(tmp_path):
    save_classifier(tmp_path / "model.onnx")
    model = load(tmp_path, task="text-classification")
    assert not model.can_generate()
    with pytest.raises(
        OptionError, match=r"this model does not write tokens: its task is text-classification, and it returns logits"
    ):
        model.generate()
    with pytest.raises(OptionError, match=r"task='text-classification-with-past': these files keep no past"):
        load(tmp_path, task="text-classification-with-past")


def test_providers_and_options(tmp_path):
    path = save_classifier(tmp_path / "model.onnx")
    with pytest.raises(
        OptionError, match=r"provider='NoProvider': this ONNX Runtime does not have it. It has .*CPUExecutionProvider"
    ):
        load(path, provider="NoProvider")
    with pytest.raises(OptionError, match=r"provider=.* and providers=.* were given: give one"):
        load(path, provider="CPUExecutionProvider", providers=["CPUExecutionProvider"])
    with pytest.raises(OptionError, match=r"provider_options has 2 entries for 1 providers"):
        load(path, provider_options=[{}, {}])
    with pytest.raises(
        OptionError, match=r"file_nam='x' is not an option of from_pretrained. Did you mean 'file_name'"
    ):
        load(path, file_nam="x")
    with pytest.raises(
        OptionError, match=r"export=True: nothing is downloaded or exported when a model is loaded. Export it first"
    ):
        load(path, export=True)
    assert load(path, provider="CPUExecutionProvider", export=False, revision="main").providers == [
        "CPUExecutionProvider"
    ]


def test_an_ort_config_is_obeyed_or_refused_by_name(tmp_path):
    save_classifier(tmp_path / "model_quantized.onnx")
    stated = {"opset": 17, "quantization": {"is_static": False}, "optimum_version": "2.1.0"}
    (tmp_path / "ort_config.json").write_text(json.dumps(stated))
    assert load(tmp_path)._flow.parts[0].path.name == "model_quantized.onnx"
    (tmp_path / "ort_config.json").write_text(json.dumps({**stated, "compile": True}))
    with pytest.raises(SourceError, match=r"ort_config.json: 'compile' is not obeyed here"):
        load(tmp_path)


def test_a_damaged_spec_next_to_the_model(tmp_path):
    save_classifier(tmp_path / "model.onnx")
    (tmp_path / "model.onnx.dummyio.json").write_text('{"dummyio": 1, "inputs": 3}')
    with pytest.raises(SourceError, match="the spec next to the model is not valid"):
        load(tmp_path)


def test_moving_and_copying(tmp_path):
    model = load(save_classifier(tmp_path / "one" / "model.onnx"))
    assert model.eval().to("cpu") is model
    with pytest.raises(
        OptionError, match=r"to\(cuda\): this model was opened on cpu. Load it there: from_pretrained\(..., provider"
    ):
        model.to("cuda")
    model.save_pretrained(tmp_path / "two")
    assert (tmp_path / "two" / "model.onnx").read_bytes() == (tmp_path / "one" / "model.onnx").read_bytes()
    with pytest.raises(OSError, match=r"model.onnx is there already"):
        model.save_pretrained(tmp_path / "two")


@pytest.mark.parametrize(
    ("file", "values", "message"),
    [
        ("config.json", {"num_labels": 10**9}, r"config.json: num_labels=1000000000 is more than"),
        ("config.json", {"hidden_size": "x"}, r"config.json: Transformers refuses a value \(.*hidden_size"),
        ("config.json", {"dtype": "nope"}, r"config.json: Transformers refuses a value \("),
        ("config.json", {"id2label": 5}, r"config.json: Transformers refuses a value \("),
    ],
    ids=["labels", "size", "dtype", "names"],
)
def test_values_that_transformers_refuses(tmp_path, file, values, message):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    save_classifier(tmp_path / "model.onnx")
    (tmp_path / file).write_text(json.dumps({**BERT, "type_vocab_size": 2, **values}))
    with pytest.raises(SourceError, match=message):
        load(tmp_path)


def test_generation_options_that_transformers_refuses(tmp_path):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    sizes = {"vocab_size": 11, "n_layer": 2, "n_head": 2, "n_embd": 8}
    save_config(tmp_path, model_type="gpt2", architectures=["GPT2LMHeadModel"], **sizes)
    (tmp_path / "generation_config.json").write_text(json.dumps({"compile_config": 5}))
    with pytest.raises(SourceError, match=r"generation_config.json: Transformers refuses a value \("):
        load(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"architectures": ["BertForTokenClassification"]},
            "BertForTokenClassification of config.json does token-class",
        ),
        (
            {"architectures": ["BertForMaskedLM"]},
            r"does fill-mask, and the graph returns logits of rank 2, which fits text-cl",
        ),
        (
            {"architectures": ["GPT2ForSequenceClassification"]},
            "model_type='bert' and architectures='GPT2ForSequenceCl",
        ),
        ({"num_labels": 3}, "the graph returns scores of 2 labels, and config.json has 3"),
        ({"id2label": {"0": "a"}}, "the graph returns scores of 2 labels, and config.json has 1"),
    ],
    ids=["class", "words", "type", "labels", "names"],
)
def test_a_configuration_that_the_graph_contradicts(tmp_path, change, message):
    pytest.importorskip("torch")
    pytest.importorskip("transformers")
    save_classifier(tmp_path / "model.onnx")
    save_config(tmp_path, **BERT)
    assert load(tmp_path).task == "text-classification"
    save_config(tmp_path, **{**BERT, **change})
    with pytest.raises(SourceError, match=message):
        load(tmp_path)


def test_a_spec_whose_task_the_graph_contradicts(tmp_path):
    path = save_classifier(tmp_path / "model.onnx")
    spec = dummyio.describe(path)
    dummyio.InputSpec(dict(spec), task="fill-mask").save(tmp_path / "dummyio.json")
    with pytest.raises(SourceError, match="the spec does fill-mask, and the graph returns logits of rank 2"):
        load(tmp_path)


def test_features_under_the_configuration_of_a_head_are_features(tmp_path):
    """As Optimum writes them: the configuration of the checkpoint keeps the class that it was saved from."""
    pytest.importorskip("transformers")
    save_encoder(tmp_path / "model.onnx")
    save_config(tmp_path, **BERT)
    assert load(tmp_path).task == "feature-extraction"


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        (0, r"n_layer=0: a whole number from 1 to .* model.onnx keeps 2 layers"),
        (1, r"keeps 2 layers of \[2, 4\] numbers, and config.json has 1 layers"),
    ],
)
def test_a_cache_of_more_layers_than_the_configuration_has(tmp_path, layers, message):
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    own = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 8, "n_head": 2, "vocab_size": 11}
    save_config(tmp_path, **own, n_layer=layers)
    with pytest.raises(SourceError, match=message):
        load(tmp_path)


def test_a_decoder_whose_configuration_has_an_encoder(tmp_path):
    """Its generation would ask for an encoder, which is not there."""
    pytest.importorskip("transformers")
    save_decoder(tmp_path / "model.onnx")
    own = {"model_type": "gpt2", "architectures": ["GPT2LMHeadModel"], "n_embd": 8, "n_head": 2, "vocab_size": 11}
    save_config(tmp_path, **own, n_layer=2, is_encoder_decoder=True)
    with pytest.raises(SourceError, match=r"config.json has is_encoder_decoder=True, and the files have no encoder"):
        load(tmp_path)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "dummyio.json", "ort_config.json"])
def test_a_file_that_is_a_link_to_nothing_or_to_a_device(tmp_path, name):
    """Without its configuration the folder would load as a model that nothing is known of."""
    save_classifier(tmp_path / "model.onnx")
    for target, reason in (("nowhere", "cannot be read"), ("/dev/zero", "not a regular file")):
        link = tmp_path / name
        link.symlink_to(target)
        with pytest.raises(SourceError, match=f"{name}.*{reason}"):
            load(tmp_path)
        link.unlink()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("provider", 5),
        ("providers", "CPUExecutionProvider"),
        ("providers", [5]),
        ("providers", 5),
        ("provider_options", 5),
        ("provider_options", ["x"]),
        ("session_options", {"intra_op_num_threads": 1}),
        ("session_options", 5),
    ],
)
def test_options_of_sessions_of_a_wrong_type(tmp_path, option, value):
    path = save_classifier(tmp_path / "model.onnx")
    with pytest.raises(OptionError, match=f"{option}=.*: give "):
        load(path, **{option: value})
