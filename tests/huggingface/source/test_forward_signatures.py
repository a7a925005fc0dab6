"""What is read from the source is what `inspect` says of the imported class."""

import importlib
import inspect
import warnings

import pytest

from dummyio.huggingface.source.auto_tables import class_source
from dummyio.huggingface.source.forward_signatures import Parameter, forward_parameters, forward_source, module_source

pytest.importorskip("transformers")
pytest.importorskip("torch", reason="the library imports its models with PyTorch only")

# Text, vision, audio, both and other; encoders, decoders, both; own, inherited and generic `forward`; folders of
# another name than the model type and with several files.
CLASSES = [
    ("BertForMaskedLM", "bert"),
    ("BertForSequenceClassification", "bert"),
    ("LlamaForCausalLM", "llama"),
    ("LlamaForSequenceClassification", "llama"),
    ("GPT2LMHeadModel", "gpt2"),
    ("OpenAIGPTDoubleHeadsModel", "openai-gpt"),
    ("T5ForConditionalGeneration", "t5"),
    ("BartForCausalLM", "bart"),
    ("XLNetLMHeadModel", "xlnet"),
    ("ReformerModel", "reformer"),
    ("FunnelBaseModel", "funnel"),
    ("MambaForCausalLM", "mamba"),
    ("EncoderDecoderModel", "encoder-decoder"),
    ("LayoutLMv3Model", "layoutlmv3"),
    ("ViTForImageClassification", "vit"),
    ("Data2VecVisionModel", "data2vec-vision"),
    ("DonutSwinModel", "donut-swin"),
    ("DetrForObjectDetection", "detr"),
    ("SamModel", "sam"),
    ("CLIPModel", "clip"),
    ("CLIPTextModel", "clip_text_model"),
    ("BlipForQuestionAnswering", "blip"),
    ("LlavaForConditionalGeneration", "llava"),
    ("Qwen2VLForConditionalGeneration", "qwen2_vl"),
    ("PerceiverModel", "perceiver"),
    ("Wav2Vec2ForCTC", "wav2vec2"),
    ("Data2VecAudioForCTC", "data2vec-audio"),
    ("WhisperForConditionalGeneration", "whisper"),
    ("SpeechT5ForTextToSpeech", "speecht5"),
    ("MusicgenForCausalLM", "musicgen_decoder"),
    ("PatchTSTForPrediction", "patchtst"),
]


def real_class(name: str, model_type: str) -> type:
    path = class_source(name, model_type).path
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # other people's deprecations
        return getattr(importlib.import_module(f"transformers.models.{path.parent.name}.{path.stem}"), name)


@pytest.mark.parametrize(("name", "model_type"), CLASSES)
def test_parameters_are_those_of_the_class(name: str, model_type: str):
    listed = list(inspect.signature(real_class(name, model_type).forward).parameters.values())[1:]
    real = [each for each in listed if each.kind not in (each.VAR_POSITIONAL, each.VAR_KEYWORD)]
    found = forward_parameters(name, model_type)
    assert [each.name for each in found] == [each.name for each in real]
    assert [each.has_default for each in found] == [each.default is not each.empty for each in real]
    assert [each.default for each in found] == [None if each.default is each.empty else each.default for each in real]


@pytest.mark.parametrize(("name", "model_type"), CLASSES[::4])
def test_the_model_type_is_only_a_short_cut(name: str, model_type: str):
    assert forward_parameters(name) == forward_parameters(name, model_type)
    assert forward_parameters(name, "no-such-type") == forward_parameters(name, model_type)


def test_a_parameter_as_it_is_written():
    ids, *_ = forward_parameters("BertForMaskedLM", "bert")
    assert ids == Parameter("input_ids", ids.annotation, has_default=True, default=None)
    assert "Tensor" in ids.annotation


def test_an_inherited_forward_is_the_base_class_s():
    assert forward_source("LlamaForSequenceClassification", "llama") == forward_source(
        "MistralForSequenceClassification"
    )
    assert forward_source("LlamaForSequenceClassification", "llama").startswith("    def forward(")


def test_the_classes_beside_a_model():
    classes = module_source("BertForMaskedLM", "bert")
    assert {"BertEmbeddings", "BertModel", "BertForMaskedLM"} <= set(classes)
    assert "token_type_ids" in classes["BertEmbeddings"]
    assert all(text.startswith(f"class {name}") for name, text in classes.items())


@pytest.mark.parametrize("name", ["NoModel", "BertPreTrainedModel"])
def test_a_class_that_is_not_installed_or_has_no_forward_has_no_parameters(name: str):
    assert forward_parameters(name, "bert") == ()
    assert forward_source(name, "bert") == ""
