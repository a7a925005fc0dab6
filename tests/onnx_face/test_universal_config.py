"""`UniversalOnnxConfig` as a face of `describe`: names, axes, tasks, sizes, and errors that state the rule and the remedy."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

import dummyio
from dummyio.errors import FrameworkError, OptionError, SourceError
from dummyio.onnx import UniversalOnnxConfig, detect_task

FOLDER = Path(__file__).parents[2] / "examples" / "bert-base"
BERT = {
    "model_type": "bert",
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
GPT2 = {"model_type": "gpt2", "vocab_size": 100, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
T5 = {"model_type": "t5", "vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
LABELS = {"id2label": {"0": "cat", "1": "dog", "2": "cow"}}


@pytest.fixture
def transformers():
    return pytest.importorskip("transformers")


def test_importing_the_room_loads_no_framework():
    code = "import sys, dummyio.onnx; print([m for m in ('torch', 'transformers', 'onnxruntime', 'numpy') if m in sys.modules])"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_a_configuration_stands_for_the_class_that_automodel_builds(transformers):
    config = UniversalOnnxConfig({**BERT, "architectures": ["BertForMaskedLM"]})
    assert config.task == "feature-extraction"
    assert config.get_input_names() == ["input_ids", "attention_mask", "token_type_ids"]
    assert config.get_output_names() == ["last_hidden_state", "pooler_output"]
    assert config.spec.provenance["model"] == "BertModel"


def test_a_configuration_object_is_read_as_its_dict(transformers):
    config = transformers.BertConfig(**{**BERT, "architectures": ["BertForMaskedLM"]})
    assert UniversalOnnxConfig(config).spec == UniversalOnnxConfig({**BERT, "architectures": ["BertForMaskedLM"]}).spec
    assert config.architectures == ["BertForMaskedLM"], "the caller's configuration stays as it is"


def test_auto_goes_by_the_architecture(transformers):
    assert UniversalOnnxConfig({**BERT, "architectures": ["BertForMaskedLM"]}, "auto").task == "fill-mask"


@pytest.mark.parametrize("source", [FOLDER, FOLDER / "config.json", str(FOLDER)])
def test_folders_and_files_keep_their_own_class(source, transformers):
    config = UniversalOnnxConfig(source)
    assert (config.task, config.get_output_names()) == ("fill-mask", ["logits"])


def test_a_folder_has_the_inputs_of_an_export_and_not_all_data(transformers):
    assert UniversalOnnxConfig(FOLDER).spec == dummyio.describe(FOLDER, task="fill-mask")


def test_a_live_model_keeps_its_own_class(transformers):
    pytest.importorskip("torch")
    model = transformers.BertForTokenClassification(transformers.BertConfig(**BERT))
    config = UniversalOnnxConfig(model)
    assert (config.task, config.get_output_names()) == ("token-classification", ["logits"])


def test_a_saved_spec_is_a_source(tmp_path):
    spec = dummyio.describe(FOLDER, task="fill-mask")
    spec.save(tmp_path / "spec.json")
    for source in (spec, tmp_path / "spec.json", json.loads(spec.to_json())):
        assert UniversalOnnxConfig(source).spec == spec


def test_a_module_of_its_own_is_observed():
    torch = pytest.importorskip("torch")
    config = UniversalOnnxConfig(torch.nn.Linear(3, 2))
    assert config.inputs == {"input": {0: "batch_size"}}
    assert config.outputs == {"output": {0: "batch_size"}}
    assert config.get_output_shapes(batch_size=7) == {"output": (7, 2)}


def test_axes_have_symbols_and_caches_are_flat(transformers):
    config = UniversalOnnxConfig(GPT2, "text-generation-with-past")
    axes = config.get_dynamic_axes()
    assert axes["past_key_values.0.key"] == {0: "batch_size", 2: "past_sequence_length"}
    assert axes["present.1.value"] == {0: "batch_size", 2: "past_sequence_length + sequence_length"}
    assert axes["attention_mask"] == {0: "batch_size", 1: "past_sequence_length + sequence_length"}
    assert config.get_output_names()[:2] == ["logits", "present.0.key"]


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("causal-lm", "text-generation"),
        ("sequence-classification", "text-classification"),
        ("ner", "token-classification"),
        ("default-with-past", "feature-extraction-with-past"),
    ],
)
def test_synonyms_of_tasks(name, task, transformers):
    assert UniversalOnnxConfig(GPT2, name).task == task


def test_past_is_asked_for_in_three_ways(transformers):
    named = UniversalOnnxConfig(GPT2, "text-generation-with-past")
    for config in (
        UniversalOnnxConfig(GPT2, "text-generation", use_past=True),
        UniversalOnnxConfig(GPT2, "text-generation").with_past(),
        UniversalOnnxConfig.with_past(GPT2, "text-generation"),
    ):
        assert config.spec == named.spec
        assert config.use_past
        assert config.needs_past_key_values
        assert config.values_override == {"use_cache": True}
    plain = UniversalOnnxConfig(GPT2, "text-generation")
    assert (plain.use_past, plain.needs_past_key_values, plain.values_override) == (False, False, {"use_cache": True})
    assert plain.outputs["present.0.key"] == {0: "batch_size", 2: "sequence_length"}
    without = UniversalOnnxConfig({**GPT2, "use_cache": False}, "text-generation")
    assert (without.get_output_names(), without.values_override) == (["logits"], {"use_cache": False})


def test_parts_of_a_model(transformers):
    names = {
        part: UniversalOnnxConfig(T5, "text2text-generation", part=part).get_input_names()
        for part in ("encoder", "decoder", "decoder_with_past")
    }
    assert names["encoder"] == ["input_ids", "attention_mask"]
    assert names["decoder"] == ["encoder_attention_mask", "input_ids", "encoder_hidden_states"]
    assert names["decoder_with_past"][3:5] == ["past_key_values.0.decoder.key", "past_key_values.0.decoder.value"]


def test_inputs_are_those_of_the_spec_at_the_sizes_asked_for(transformers):
    np = pytest.importorskip("numpy")
    config = UniversalOnnxConfig(BERT)
    made = config.generate_dummy_inputs("np", batch_size=3, sequence_length=5, seed=1)
    expected = config.spec.generate("np", batch_size=3, sequence_length=5, seed=1)
    assert list(made) == config.get_input_names()
    assert all(np.array_equal(made[name], expected[name]) for name in made)


def test_sizes_of_optimum_that_the_model_lacks_change_nothing(transformers):
    config = UniversalOnnxConfig(BERT)
    made = config.generate_dummy_inputs("np", batch_size=2, sequence_length=4, width=32, height=32, nb_max_frames=300)
    assert made["input_ids"].shape == (2, 4)


def test_sizes_given_to_the_configuration_are_defaults(transformers):
    assert UniversalOnnxConfig(BERT, batch_size=5).generate_dummy_inputs("np")["input_ids"].shape[0] == 5


def test_dtypes_are_those_asked_for(transformers):
    config = UniversalOnnxConfig(GPT2, "text-generation-with-past", int_dtype="int32", float_dtype="fp16")
    dtypes = {path: str(array.dtype) for path, array in config.spec.feeds().items()}
    assert (dtypes["input_ids"], dtypes["past_key_values.0.key"]) == ("int32", "float16")


def test_predicted_shapes_follow_the_sizes(transformers):
    shapes = UniversalOnnxConfig(BERT).get_output_shapes(batch_size=3, sequence_length=7)
    assert shapes == {"last_hidden_state": (3, 7, 32), "pooler_output": (3, 32)}


@pytest.mark.parametrize(
    ("source", "task", "kind", "family"),
    [
        (BERT, "fill-mask", "tokenizer", "text"),
        ({"model_type": "vit"}, "image-classification", "image processor", "vision"),
        ({"model_type": "wav2vec2"}, "audio-classification", "feature extractor", "audio"),
        ({"model_type": "clip"}, "zero-shot-image-classification", "processor", "multimodal"),
        ({"model_type": "whisper"}, "automatic-speech-recognition", "processor", "audio"),
        ({"model_type": "patchtst"}, "time-series-forecasting", "none", "time series"),
    ],
)
def test_preprocessor_and_family(source, task, kind, family, transformers):
    config = UniversalOnnxConfig(source, task)
    assert (config.preprocessor_type, config.task_family) == (kind, family)


def test_the_opset_follows_from_operators(transformers):
    from dummyio.onnx.choose_opset import choose_opset

    assert UniversalOnnxConfig.DEFAULT_ONNX_OPSET == UniversalOnnxConfig(BERT).DEFAULT_ONNX_OPSET == 18
    assert choose_opset("x = F.scaled_dot_product_attention(q, k, v)") == 18, "14 is enough, and exporters write 18"
    assert choose_opset("grid = nn.functional.affine_grid(theta, size)") == 20
    assert choose_opset("x = torchvision.ops.deform_conv2d(x, offset, w)") == 19


def test_a_subclass_sets_its_own_opset(transformers):
    class Own(UniversalOnnxConfig):
        DEFAULT_ONNX_OPSET = 21

    assert Own(BERT).DEFAULT_ONNX_OPSET == Own.DEFAULT_ONNX_OPSET == 21


def test_the_hook_makes_one_input(transformers):
    class Own(UniversalOnnxConfig):
        def overwrite_shape_and_generate_input(self, dummy_input_gen, input_name, framework, input_shapes):
            if input_name == "input_ids":
                dummy_input_gen.sequence_length = 1
            made = dummy_input_gen.generate(input_name, framework=framework)
            dummy_input_gen.sequence_length = 16
            return made

    shapes = {name: array.shape for name, array in Own(BERT).generate_dummy_inputs("np").items()}
    assert (shapes["input_ids"], shapes["attention_mask"]) == ((2, 1), (2, 16))


def test_members_that_exporters_read(transformers):
    config = UniversalOnnxConfig(BERT)
    assert config.ATOL_FOR_VALIDATION == 1e-5
    assert config.torch_to_onnx_input_map == config.torch_to_onnx_output_map == {}
    assert config.NORMALIZED_CONFIG_CLASS(BERT).vocab_size == 100
    assert config.rename_ambiguous_inputs({"x": 1}) == {"x": 1}

    class Model:
        def forward(self, token_type_ids, input_ids, attention_mask): ...

    assert list(config.ordered_inputs(Model())) == ["token_type_ids", "input_ids", "attention_mask"]


def test_a_patched_model_has_its_values_back(transformers):
    pytest.importorskip("torch")
    model = transformers.GPT2Model(transformers.GPT2Config(**GPT2))
    onnx_config = UniversalOnnxConfig({**GPT2, "use_cache": False})
    with onnx_config.patch_model_for_export(model):
        assert model.config.use_cache is False
    assert model.config.use_cache is True


def test_inputs_for_validation_are_flat_under_the_names_of_a_file(transformers):
    config = UniversalOnnxConfig(GPT2, "text-generation-with-past")
    reference = config.spec.generate("np")
    flat = config.generate_dummy_inputs_for_validation(reference)
    assert list(flat) == config.get_input_names()
    some = config.generate_dummy_inputs_for_validation(reference, ["input_ids", "past_key_values.1.key"])
    assert list(some) == ["input_ids", "past_key_values.1.key"]


def test_inputs_for_validation_of_a_decoder_have_the_names_of_its_file(transformers):
    config = UniversalOnnxConfig(T5, "text2text-generation")
    reference = config.spec.generate("np")
    found = config.generate_dummy_inputs_for_validation(
        {**reference, "encoder_outputs": (reference["input_ids"],)},
        ["input_ids", "encoder_attention_mask", "encoder_hidden_states", "use_cache_branch"],
    )
    assert found["input_ids"] is reference["decoder_input_ids"]
    assert found["encoder_attention_mask"] is reference["attention_mask"]
    assert found["encoder_hidden_states"] is reference["input_ids"]
    assert found["use_cache_branch"].tolist() == [False]


def test_outputs_of_a_cache_have_flat_names(transformers):
    config = UniversalOnnxConfig(GPT2, "text-generation-with-past")
    layers = [("k0", "v0"), ("k1", "v1")]
    assert config.flatten_output_collection_property("present", layers) == {
        "present.0.key": "k0",
        "present.0.value": "v0",
        "present.1.key": "k1",
        "present.1.value": "v1",
    }
    assert config.flatten_output_collection_property("hidden_states", ["a", ["b", "c"]]) == {
        "hidden_states.0": "a",
        "hidden_states.1": "b",
        "hidden_states.2": "c",
    }


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"task": "telepathy"}, OptionError, r"task='telepathy' is unknown\. Known: "),
        ({"task": 5}, OptionError, r"task=5: a task is a string"),
        (
            {"task": "image-classification"},
            SourceError,
            r"no class of model type 'bert' does it\. It can do fill-mask, ",
        ),
        ({"part": "middle"}, OptionError, r"part='middle': the model has no such part .*Leave part out"),
        ({"use_past": "yes"}, OptionError, r"use_past='yes': True, False or None is needed"),
        (
            {"task": "text-generation-with-past", "use_past": False},
            OptionError,
            r"use_past=False: the task asks for a past\. Leave out one",
        ),
        ({"task": "fill-mask", "use_past": True}, OptionError, r"models for fill-mask do not generate step by step"),
        ({"sequence_lenght": 3}, OptionError, r"sequence_lenght=3: .*sequence_length"),
    ],
)
def test_wrong_requests_are_refused(arguments, error, message, transformers):
    with pytest.raises(error, match=message):
        UniversalOnnxConfig(BERT, **arguments)


@pytest.mark.parametrize("source", [None, 5, [BERT], dict, b"folder"])
def test_wrong_sources_are_refused(source):
    with pytest.raises(SourceError, match="is not a source: give a configuration"):
        UniversalOnnxConfig(source)


def test_a_missing_folder_is_refused(tmp_path):
    with pytest.raises(SourceError, match=r"no such file or folder\. Nothing is downloaded"):
        UniversalOnnxConfig(tmp_path / "absent")


def test_a_live_model_of_another_task_is_refused(transformers):
    pytest.importorskip("torch")
    model = transformers.BertForMaskedLM(transformers.BertConfig(**BERT))
    with pytest.raises(OptionError, match=r"BertForMaskedLM does not do it\. It can do fill-mask; build the model"):
        UniversalOnnxConfig(model, "token-classification")


@pytest.mark.parametrize("given", [{"use_past": True}, {"part": "encoder"}])
def test_a_spec_has_no_past_and_no_parts_to_ask_for(given):
    with pytest.raises(OptionError, match="only Hugging Face models have a past and parts"):
        UniversalOnnxConfig(dummyio.describe(FOLDER), **given)


@pytest.mark.parametrize(
    ("shapes", "message"),
    [
        ({"image_width": 96}, r"image_width=96: no size has that name\. Did you mean 'width'\?"),
        ({"batch": 2}, r"Did you mean 'batch_size'\?"),
        ({"batch_sze": 2}, r"batch_size"),
    ],
)
def test_unknown_sizes_are_refused(shapes, message, transformers):
    with pytest.raises(OptionError, match=message):
        UniversalOnnxConfig(BERT).generate_dummy_inputs("np", **shapes)


def test_unknown_frameworks_are_refused(transformers):
    with pytest.raises(FrameworkError, match="framework='banana' is unknown"):
        UniversalOnnxConfig(BERT).generate_dummy_inputs("banana")


def test_a_file_with_an_unknown_input_is_refused(transformers):
    config = UniversalOnnxConfig(BERT)
    reference = config.spec.generate("np")
    with pytest.raises(OptionError, match=r"input 'pixel_values' of the file: the reference inputs are input_ids, "):
        config.generate_dummy_inputs_for_validation(reference, ["pixel_values"])
    with pytest.raises(OptionError, match=r"onnx_input_names has 'input_ids' twice"):
        config.generate_dummy_inputs_for_validation(reference, ["input_ids", "input_ids"])


@pytest.mark.parametrize(
    ("values", "task"),
    [
        ({**BERT, "architectures": ["BertForTokenClassification"]}, "token-classification"),
        (BERT, "feature-extraction"),
        ({**BERT, **LABELS}, "text-classification"),
        ({**BERT, "problem_type": "multi_label_classification"}, "text-classification"),
        ({"model_type": "vit", **LABELS}, "image-classification"),
        ({"model_type": "wav2vec2", "problem_type": "single_label_classification"}, "audio-classification"),
        ({**GPT2, "task_specific_params": {"text-generation": {"max_length": 50}}}, "text-generation"),
        ({**T5, "task_specific_params": {"translation_en_to_de": {}}}, "text2text-generation"),
        ({**T5, "is_encoder_decoder": True}, "text2text-generation"),
        ({**BERT, "is_decoder": True}, "text-generation"),
        ({"model_type": "clip", **LABELS}, "feature-extraction"),
    ],
)
def test_tasks_are_detected_from_hints(values, task, transformers):
    found = detect_task(values)
    if values["model_type"] == "clip":
        assert found in ("feature-extraction", "image-classification")
    else:
        assert found == task


def test_forty_tasks_are_detected_from_the_names_of_classes(transformers):
    from dummyio.huggingface.source.auto_tables import auto_tables

    classes = {(kind, name) for table in auto_tables().values() for kind, names in table.items() for name in names}
    found = {detect_task({"model_type": kind, "architectures": [name]}) for kind, name in classes}
    assert len(found) >= 40


def test_a_task_that_nothing_states_is_an_error():
    with pytest.raises(OptionError, match="task='auto': nothing states the task of"):
        detect_task(object())
