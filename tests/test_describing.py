"""The sources that `describe` accepts, and its errors."""

import json

import pytest

import dummyio
from dummyio.errors import FrameworkError, OptionError, SourceError

BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 99,
    "hidden_size": 24,
    "type_vocab_size": 2,
    "pad_token_id": 0,
}


def test_a_saved_spec_is_a_source(tmp_path):
    spec = dummyio.describe(BERT, batch_size=3)
    spec.save(tmp_path / "spec.json")
    assert dummyio.describe(tmp_path / "spec.json") == spec
    assert dummyio.describe(json.loads(spec.to_json())) == spec
    assert dummyio.describe(spec) is spec
    assert dummyio.describe(spec, batch_size=5).dims["batch_size"].size == 5


def test_a_spec_cannot_change_its_task(tmp_path):
    with pytest.raises(OptionError, match="describe its model again"):
        dummyio.describe(dummyio.describe(BERT), task="fill-mask")


def test_describe_and_generate_in_one_call():
    inputs = dummyio.generate(BERT, framework="np", batch_size=4, seed=7)
    spec = dummyio.describe(BERT, batch_size=4)
    assert {name: values.tolist() for name, values in inputs.items()} == {
        name: values.tolist() for name, values in spec.generate(seed=7).items()
    }


def test_an_unknown_framework_is_named_before_anything_is_read():
    with pytest.raises(FrameworkError, match="torch"):
        dummyio.generate("no/such/config.json", framework="trch")


@pytest.mark.parametrize("source", ["no/such/file.json", "bert-base-uncased"])
def test_nothing_is_downloaded(source):
    with pytest.raises(SourceError, match="Nothing is downloaded"):
        dummyio.describe(source)


def test_a_folder_without_a_model_is_an_error(tmp_path):
    with pytest.raises(SourceError, match=r"neither a config\.json nor a model\.onnx"):
        dummyio.describe(tmp_path)


def test_another_suffix_is_an_error(tmp_path):
    (tmp_path / "model.other").write_bytes(b"123")
    with pytest.raises(SourceError, match=r"this suffix cannot be described\. Give .*\.onnx"):
        dummyio.describe(tmp_path / "model.other")


@pytest.mark.parametrize(
    ("suffix", "said"),
    [
        (".gguf", "GGUF format"),
        (".engine", "engine of TensorRT"),
        (".task", "bundle of MediaPipe"),
        (".bin", "give the folder"),
    ],
)
def test_a_file_of_another_tool_gets_a_hint(tmp_path, suffix, said):
    (tmp_path / f"model{suffix}").write_bytes(b"?")
    with pytest.raises(SourceError, match=said):
        dummyio.describe(tmp_path / f"model{suffix}")


@pytest.mark.parametrize("source", [3, None, object(), [1], print])
def test_other_objects_cannot_be_described(source):
    with pytest.raises(SourceError, match="cannot be described"):
        dummyio.describe(source)


def test_an_incomplete_configuration_names_what_is_missing():
    with pytest.raises(SourceError, match=r"vocab_size=\.\.\."):
        dummyio.describe(
            {
                "architectures": ["SomeForCausalLM"],
                "type_vocab_size": 2,
                "vocab_size": None,
                "num_heads": 2,
                "d_model": 4,
                "is_encoder_decoder": True,
            }
        )
