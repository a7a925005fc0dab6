"""A configuration is data of unknown types: what is read is checked, and the error names the field, the value and the rule."""

import json
import os

import pytest

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.generators import DummyTextInputGenerator
from dummyio.model_config.attribute_types import check_attribute, shorten_value
from dummyio.model_config.normalized_config import NormalizedConfig

_BERT = {
    "model_type": "bert",
    "architectures": ["BertModel"],
    "vocab_size": 100,
    "hidden_size": 8,
    "num_attention_heads": 2,
    "num_hidden_layers": 2,
}
_LLAVA = {"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"], "image_token_index": 5}


@pytest.mark.parametrize("wrong", ["12", True, 0, -3, 1.5, 2**70, float("nan"), {"a": 1}, b"8"])
@pytest.mark.parametrize("name", ["vocab_size", "hidden_size"])
def test_a_number_of_a_wrong_type_or_size(name, wrong):
    if name == "vocab_size" and wrong == 0:
        pytest.skip("refused where ids are drawn")
    with pytest.raises(SourceError, match=rf"configuration has {name}=.*: a whole number .* is needed"):
        dummyio.describe({**_BERT, name: wrong})


def test_the_path_of_a_field_is_named():
    with pytest.raises(SourceError, match=r"text_config\.vocab_size='8': a whole number from 0"):
        dummyio.describe({**_LLAVA, "text_config": {"vocab_size": "8"}})
    with pytest.raises(SourceError, match=r"text_config=5: a configuration \(a dict\) is needed"):
        dummyio.describe({**_LLAVA, "text_config": 5})


@pytest.mark.parametrize(
    ("changes", "task", "message"),
    [
        ({"num_hidden_layers": 10**9}, "text-generation-with-past", r"num_hidden_layers=1000000000: .* from 1 to 4096"),
        ({"layer_types": ["full_attention"]}, "text-generation-with-past", r"kinds of 1 layers, and has 2 layers"),
        ({"layer_types": "full_attention"}, "text-generation-with-past", r"layer_types='full_attention': a list"),
        ({"layer_types": [["a"], 2]}, "text-generation-with-past", r"layer_types=a list of 2 items"),
        ({"layer_types": ["a"] * 10**5}, "text-generation-with-past", r"layer_types=a list of 100000 items"),
        ({"num_attention_heads": 64}, "text-generation-with-past", r"hidden_size=8 for 64 heads"),
        ({"num_attention_heads": 0}, "text-generation-with-past", r"num_attention_heads=0"),
        ({"is_encoder_decoder": "no", "architectures": ["NewModel"]}, None, r"is_encoder_decoder='no': true or false"),
        ({"pad_token_id": "0"}, None, r"pad_token_id='0': a token id"),
        ({"some_token_id": [1, 2]}, None, r"some_token_id=\[1, 2\]: a token id"),
        ({"eos_token_id": []}, None, r"eos_token_id=\[\]: a token id, or a list"),
        ({"eos_token_id": range(4)}, None, r"eos_token_id=a range of 4 items"),
        ({"hidden_size": []}, "text-generation-with-past", r"hidden_size=\[\]"),
        ({"type_vocab_size": [2]}, None, r"type_vocab_size=\[2\]"),
        ({"max_position_embeddings": {}}, None, r"max_position_embeddings=a dict of 0 items"),
        ({"architectures": "BertModel"}, None, r"architectures='BertModel': a list of names"),
        ({"architectures": [["BertModel"]]}, None, r"architectures\[0\]"),
        ({"architectures": ["Bert\x00Model"]}, None, r"architectures\[0\]='Bert\\x00Model': the name of a class"),
        ({"architectures": ["X" * 300]}, None, r"architectures\[0\]='X{57}'\.\.\. \(300 characters\)"),
        (
            {"id2label": ["a"], "architectures": ["BertForSequenceClassification"]},
            None,
            "id2label=a list of 1 items: a dict",
        ),
    ],
)
def test_lists_layers_names_and_switches(changes, task, message):
    config = {**_BERT, "architectures": ["BertLMHeadModel"], "is_decoder": True, **changes}
    with pytest.raises(SourceError, match=message):
        dummyio.describe(config, task)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (
            {"architectures": ["ViTModel"], "model_type": "vit", "image_size": [0, 8], "patch_size": 4},
            r"image_size=\[0, 8\]",
        ),
        (
            {"architectures": ["ViTModel"], "model_type": "vit", "image_size": 8, "num_channels": "3"},
            r"num_channels='3'",
        ),
        (
            {"architectures": ["Wav2Vec2Model"], "model_type": "wav2vec2", "conv_kernel": ["10", 3]},
            "conv_kernel=a list of 2",
        ),
        (
            {"architectures": ["WhisperModel"], "model_type": "whisper", "max_source_positions": [3]},
            r"max_source_positions=\[3\]",
        ),
        ({"_class_name": "UNet2DConditionModel", "block_out_channels": []}, "block_out_channels=.*: a list of sizes"),
        ({"_class_name": "UNet2DConditionModel", "sample_size": "64"}, "sample_size='64'"),
        ({"_class_name": ["UNet2DConditionModel"]}, "_class_name=a list of 1 items is not the name of a class"),
        ({"_class_name": "../../x"}, r"_class_name='\.\./\.\./x' is not the name of a class"),
    ],
)
def test_images_audio_and_denoisers(config, message):
    pytest.importorskip("diffusers" if "_class_name" in config else "transformers")
    with pytest.raises(SourceError, match=message):
        dummyio.describe(config)


def test_unknown_fields_are_not_interpreted():
    strange = {
        "my_size": "12",
        "rope_scaling": {"type": ["?"]},
        "quantization_config": 5,
        "auto_map": {"AutoModel": "x--y"},
    }
    assert dummyio.describe({**_BERT, **strange}) == dummyio.describe(_BERT)


def test_several_forms_of_an_attribute_are_accepted():
    for name, values in {
        "image_size": (224, [224, 224], [3, 224, 224], {"height": 224, "width": 224}, {"shortest_edge": 224}),
        "eos_token_id": (2, [2, 3], -1),
        "num_key_value_heads": (2, [2, 4]),
        "sliding_window": (None, 4096, -1),
        "model_type": ("gpt-sw3", "sam2.1", ""),
    }.items():
        for value in values:
            assert NormalizedConfig({name: value}).raw(name) == value


def test_an_attribute_without_a_type_follows_the_default_of_its_class():
    check_attribute("mamba_d_conv", [4, 4], "", 4)
    check_attribute("mamba_d_conv", "4", "", None)
    with pytest.raises(SourceError, match=r"text_config\.mamba_d_conv='4': a whole number"):
        check_attribute("mamba_d_conv", "4", "text_config.", 4)


def test_a_generator_used_by_itself_checks_too():
    with pytest.raises(SourceError, match="vocab_size='7'"):
        DummyTextInputGenerator("feature-extraction", {"vocab_size": "7"}).spec("input_ids")


@pytest.mark.parametrize("value", [range(4), {"height": "\ud800"}, {}, object(), b"", len])
def test_values_that_are_not_json(value):
    with pytest.raises(SourceError, match=r"patch_size=.*: a whole number"):
        NormalizedConfig({"patch_size": value}).raw("patch_size")


def test_a_value_of_the_caller():
    with pytest.raises(OptionError, match="hidden_size='8': a whole number"):
        dummyio.describe({**_BERT, "hidden_size": 8}, "text-generation", hidden_size="8")


def test_an_object_whose_attributes_fail():
    class Broken:
        @property
        def vocab_size(self):
            raise RuntimeError("no")

    with pytest.raises(SourceError, match="vocab_size of the configuration cannot be read: RuntimeError: no"):
        NormalizedConfig(Broken()).raw("vocab_size")


def test_structure_is_bounded():
    deep: object = 1
    for _ in range(10_000):
        deep = {"text_config": deep}
    cyclic = dict(_BERT)
    cyclic["text_config"] = cyclic
    shared: list = []
    for _ in range(40):
        shared = [shared, shared]
    for value, message in (
        (deep, "nested more than 64 levels deep"),
        (cyclic, "contains itself"),
        ({**_BERT, "x": [0] * 10**6}, "more than 500000 values"),
        ({**_BERT, "x": shared}, "more than 500000 values"),
        ({**_BERT, 5: 1}, "the name 5 is not a string"),
    ):
        with pytest.raises(SourceError, match=message):
            dummyio.describe(value)


def test_a_model_type_is_a_name_and_never_a_path(tmp_path):
    pytest.importorskip("transformers")
    (tmp_path / "models").mkdir()
    (tmp_path / "modeling_evil.py").write_text("class EvilModel:\n    def forward(self, secret): ...\n")
    for model_type in (
        os.path.relpath(tmp_path, "/"),
        str(tmp_path),
        "../../..",
        "..",
        "a/b",
        "bert\x00",
        "ber\u202et",
        5,
        ["bert"],
    ):
        with pytest.raises(SourceError, match=r"model_type=.*: the name of a model type"):
            dummyio.describe({"model_type": model_type, "architectures": ["EvilModel"]})
    with pytest.raises(SourceError, match=r"text_config\.model_type='\.\./x'"):
        dummyio.describe({**_LLAVA, "text_config": {"model_type": "../x"}})


def test_code_beside_a_configuration_does_not_run(tmp_path):
    ran = tmp_path / "ran"
    config = {
        **_BERT,
        "auto_map": {"AutoConfig": "evil.EvilConfig", "AutoModel": "evil.EvilModel"},
        "_attn_implementation": "org/kernel",
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    for name in ("evil", "modeling_bert", "configuration_bert", "__init__"):
        (tmp_path / f"{name}.py").write_text(f"open({str(ran)!r}, 'w').close()\n")
    assert [*dummyio.describe(tmp_path)] == [*dummyio.describe(_BERT)]
    assert not ran.exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not valid JSON"),
        (b"[]", "a configuration is a JSON object, not a list"),
        (b"\xff\xfe\xfd", "not valid JSON"),
        (b'{"model_type": "bert", "vocab_size": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b'{"model_type": "bert", "vocab_size": ' + b"9" * 4000 + b"}", "a number of .* bits"),
        (b'{"model_type": "bert", "architectures": ["BertModel"], "vocab_size": NaN}', "vocab_size=nan"),
        (b"[" * 100_000, "nested too deeply"),
    ],
)
def test_files_that_are_not_configurations(tmp_path, content, message):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(SourceError, match=message):
        dummyio.describe(tmp_path)


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_encodings_of_json(tmp_path, encoding):
    (tmp_path / "config.json").write_text(json.dumps(_BERT), encoding=encoding)
    assert dummyio.describe(tmp_path)["input_ids"] == dummyio.describe(_BERT)["input_ids"]


def test_what_is_not_a_regular_file_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.json")
    (tmp_path / "folder" / "config.json").mkdir(parents=True)
    (tmp_path / "huge.json").touch()
    os.truncate(tmp_path / "huge.json", 1 << 30)
    (tmp_path / "link.json").symlink_to(tmp_path / "real.json")
    (tmp_path / "real.json").write_text(json.dumps(_BERT))
    (tmp_path / "loop.json").symlink_to("loop.json")
    for name, message in (
        ("pipe.json", "not a regular file"),
        ("folder", "a folder, where a file is due"),
        ("huge.json", "more than 16777216 bytes"),
        ("loop.json", "symbolic links"),
        ("x" * 5000, "File name too long"),
        ("a\x00b", "null"),
    ):
        with pytest.raises(SourceError, match=message):
            dummyio.describe(tmp_path / name)
    assert [*dummyio.describe(tmp_path / "link.json")] == [*dummyio.describe(_BERT)]


def test_values_are_shortened():
    for value, text in (
        (10**5000, "a number of 16610 bits"),
        ("x" * 100, repr("x" * 57) + "... (100 characters)"),
        ([1, None, 2.5], "[1, None, 2.5]"),
        ({"a": 1}, "a dict of 1 items"),
        (object(), "a object"),
    ):
        assert shorten_value(value) == text
