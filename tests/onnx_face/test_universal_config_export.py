"""The export by hand, as the documents show it: the file's names are those of the configuration, and it runs at other sizes."""

import warnings

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")
pytest.importorskip("onnxscript")
onnxruntime = pytest.importorskip("onnxruntime")
np = pytest.importorskip("numpy")

from transformers_results import name_tensors

from dummyio.onnx import UniversalOnnxConfig

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]

BERT = transformers.BertConfig(
    vocab_size=100, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64
)
VIT = transformers.ViTConfig(
    hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64, image_size=32, patch_size=8
)
T5 = transformers.T5Config(vocab_size=100, d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4)
GPT2 = transformers.GPT2Config(vocab_size=100, n_embd=32, n_layer=2, n_head=2)


def save(model, folder):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.save_pretrained(folder)


def check_file(path, onnx_config, model, sizes):
    """Compare the outputs of the file with those of the model, by name, at sizes that the export has not seen."""
    session = onnxruntime.InferenceSession(path)
    assert [node.name for node in session.get_inputs()] == onnx_config.get_input_names()
    assert [node.name for node in session.get_outputs()] == onnx_config.get_output_names()
    inputs = onnx_config.generate_dummy_inputs(seed=5, **sizes)
    with torch.no_grad():
        expected = name_tensors(model(**inputs))
    feeds = onnx_config.generate_dummy_inputs_for_validation(
        onnx_config.generate_dummy_inputs("np", seed=5, **sizes), [node.name for node in session.get_inputs()]
    )
    for name, actual in zip(onnx_config.get_output_names(), session.run(None, feeds), strict=True):
        np.testing.assert_allclose(actual, expected[name].numpy(), atol=1e-4)


def test_the_example_of_bert_runs_as_it_stands(tmp_path):
    save(transformers.BertForMaskedLM(BERT), tmp_path / "bert")

    config = transformers.AutoConfig.from_pretrained(tmp_path / "bert")
    model = transformers.AutoModel.from_pretrained(tmp_path / "bert")
    onnx_config = UniversalOnnxConfig(config)
    assert config.architectures == ["BertForMaskedLM"]
    assert onnx_config.task == "feature-extraction"
    dummy_inputs = onnx_config.generate_dummy_inputs()
    torch.onnx.export(
        model,
        tuple(dummy_inputs.values()),
        tmp_path / "model.onnx",
        input_names=onnx_config.get_input_names(),
        output_names=onnx_config.get_output_names(),
        dynamic_axes=onnx_config.get_dynamic_axes(),
        opset_version=onnx_config.DEFAULT_ONNX_OPSET,
    )
    check_file(tmp_path / "model.onnx", onnx_config, model.eval(), {"batch_size": 3, "sequence_length": 9})


@pytest.mark.parametrize(
    ("config", "attention", "sizes"),
    [
        (VIT, "sdpa", {"batch_size": 5}),
        (T5, "eager", {"batch_size": 3, "encoder_sequence_length": 9, "decoder_sequence_length": 5}),
    ],
    ids=["vit", "t5"],
)
def test_inputs_that_are_the_first_arguments_are_given_by_position(config, attention, sizes, tmp_path):
    model = transformers.AutoModel.from_config(config, attn_implementation=attention).eval()
    onnx_config = UniversalOnnxConfig(config)
    torch.onnx.export(
        model,
        tuple(onnx_config.generate_dummy_inputs().values()),
        tmp_path / "model.onnx",
        input_names=onnx_config.get_input_names(),
        output_names=onnx_config.get_output_names(),
        dynamic_axes=onnx_config.get_dynamic_axes(),
        opset_version=onnx_config.DEFAULT_ONNX_OPSET,
    )
    check_file(tmp_path / "model.onnx", onnx_config, model, sizes)


@pytest.mark.parametrize(
    ("use_past", "sizes"),
    [
        (False, {"batch_size": 3, "sequence_length": 9}),
        (True, {"batch_size": 3, "sequence_length": 2, "past_sequence_length": 5}),
    ],
    ids=["plain", "with-past"],
)
def test_other_inputs_are_given_by_name(use_past, sizes, tmp_path):
    model = transformers.AutoModel.from_config(GPT2).eval()
    onnx_config = UniversalOnnxConfig(GPT2, use_past=use_past)
    torch.onnx.export(
        model,
        (),
        tmp_path / "model.onnx",
        kwargs=onnx_config.generate_dummy_inputs(),
        input_names=onnx_config.get_input_names(),
        output_names=onnx_config.get_output_names(),
        dynamic_shapes=onnx_config.spec.dynamic_shapes(),
        opset_version=onnx_config.DEFAULT_ONNX_OPSET,
    )
    assert "present.1.value" in onnx_config.get_output_names()
    check_file(tmp_path / "model.onnx", onnx_config, model, sizes)


def test_without_use_cache_there_is_no_cache(tmp_path):
    model = transformers.AutoModel.from_config(T5, attn_implementation="eager").eval()
    plain = transformers.T5Config(**{**T5.to_dict(), "use_cache": False})
    onnx_config = UniversalOnnxConfig(plain)
    assert onnx_config.get_output_names() == ["last_hidden_state", "encoder_last_hidden_state"]
    with onnx_config.patch_model_for_export(model):  # the decoder has a copy of the configuration
        torch.onnx.export(
            model,
            tuple(onnx_config.generate_dummy_inputs().values()),
            tmp_path / "model.onnx",
            input_names=onnx_config.get_input_names(),
            output_names=onnx_config.get_output_names(),
            dynamic_axes=onnx_config.get_dynamic_axes(),
        )
        check_file(tmp_path / "model.onnx", onnx_config, model, {"batch_size": 3, "encoder_sequence_length": 9})
