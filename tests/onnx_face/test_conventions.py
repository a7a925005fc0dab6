"""Optimum's conventions: each is needed, each set of inputs runs, `describe` does not follow them, and the caller wins."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

import dummyio
from dummyio.generators.text.text import DummyTextInputGenerator
from dummyio.onnx import UniversalOnnxConfig
from dummyio.onnx.conventions.read_conventions import read_conventions
from dummyio.values import Constant

ENTRIES = read_conventions()
TASKS = {
    "rt_detr": "object-detection",
    "rt_detr_v2": "object-detection",
    "d_fine": "object-detection",
    "vits": "text-to-audio",
}
TEXT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
}

VISION = {
    "hidden_size": 32,
    "intermediate_size": 32,
    "num_hidden_layers": 1,
    "num_attention_heads": 4,
    "image_size": 16,
    "patch_size": 4,
}


def tiny(model_type, **attributes):
    return transformers.AutoConfig.for_model(model_type, **attributes)


@pytest.mark.parametrize(
    ("entry", "model_type"), [(entry, model_type) for entry in ENTRIES for model_type in entry.model_types]
)
def test_each_entry_is_needed_and_holds_for_the_face_alone(entry, model_type):
    sizes = {"num_key_value_heads": 8, "head_dim": 128} if model_type == "nemotron" else {}
    config = tiny(model_type, **sizes)
    task = entry.tasks[0] if entry.tasks else TASKS.get(model_type, "feature-extraction")
    described, face = dummyio.describe(config, task), UniversalOnnxConfig(config, task)
    assert set(entry.leave_out) <= set(described) - set(face.inputs)
    assert set(entry.feed) <= set(face.inputs) - set(described)
    symbols = {symbol for axes in face.inputs.values() for symbol in axes.values()}
    for dim, symbol in entry.symbols.items():
        assert dim in described.dims
        assert dim not in symbols
        if symbol is None:
            assert described.dims[dim].min == described.dims[dim].max
        else:
            assert symbol in symbols


def test_names_and_symbols():
    gemma = UniversalOnnxConfig(tiny("gemma2", **TEXT), "text-generation-with-past")
    assert gemma.get_input_names()[:3] == ["input_ids", "attention_mask", "past_key_values.0.key"]
    text = {**TEXT, "bos_token_id": 1, "eos_token_id": 2}
    siglip = UniversalOnnxConfig(tiny("siglip", text_config=text, vision_config=VISION))
    assert siglip.inputs == {
        "input_ids": {0: "text_batch_size", 1: "sequence_length"},
        "pixel_values": {0: "image_batch_size", 1: "num_channels", 2: "height", 3: "width"},
    }
    assert siglip.outputs["logits_per_image"] == {0: "image_batch_size", 1: "text_batch_size"}
    scores = transformers.AutoModel.from_config(siglip._config)(
        **siglip.spec.generate("pt", text_batch_size=3)
    ).logits_per_image
    assert scores.shape == (2, 3)
    detector = UniversalOnnxConfig(tiny("rt_detr"), "object-detection")
    assert detector.inputs == {"pixel_values": {0: "batch_size", 2: "height", 3: "width"}}


@pytest.mark.parametrize("model_type", ENTRIES[0].model_types)
def test_positions_that_are_left_out_change_nothing_for_padding_on_the_left(model_type):
    experts = {"num_local_experts": 2, "num_experts_per_tok": 1} if model_type == "gpt_oss" else {}
    config = tiny(model_type, **TEXT, **experts)
    assert "position_ids" in ENTRIES[0].leave_out
    model = transformers.AutoModelForCausalLM.from_config(config).eval()
    inputs = UniversalOnnxConfig(config, "text-generation", padding_side="left").generate_dummy_inputs()
    assert list(inputs) == ["input_ids", "attention_mask"]
    real = inputs["attention_mask"].bool()
    assert not real.all()
    counted = (inputs["attention_mask"].cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        plain, shifted = model(**inputs).logits, model(**inputs, position_ids=counted).logits
    torch.testing.assert_close(plain[real], shifted[real], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("model_type", "attributes", "names"),
    [
        ("big_bird", {"attention_type": "original_full"}, ["input_ids", "attention_mask"]),
        (
            "longformer",
            {"attention_window": 4, "type_vocab_size": 2},
            ["input_ids", "token_type_ids", "attention_mask", "global_attention_mask"],
        ),
        ("gpt_oss", {"num_local_experts": 2, "num_experts_per_tok": 1}, ["input_ids", "attention_mask"]),
    ],
)
def test_the_model_runs_on_them(model_type, attributes, names):
    config = tiny(model_type, **TEXT, **attributes)
    inputs = UniversalOnnxConfig(config).generate_dummy_inputs()
    assert sorted(inputs) == sorted(names)
    model = transformers.AutoModel.from_config(config).eval()
    with torch.no_grad():
        assert torch.isfinite(model(**inputs).last_hidden_state).all()


def test_texts_without_images_have_no_placeholders():
    config = tiny(
        "gemma3",
        text_config=TEXT,
        vision_config=VISION,
        mm_tokens_per_image=4,
        boi_token_index=96,
        eoi_token_index=97,
        image_token_index=98,
    )
    face = UniversalOnnxConfig(config, "text-generation")
    assert face.get_input_names() == ["input_ids", "attention_mask"]
    ids = face.generate_dummy_inputs(batch_size=8)["input_ids"]
    assert not torch.isin(ids, torch.tensor([96, 97, 98])).any()
    assert ids.shape == (8, 16)
    assert "pixel_values" in UniversalOnnxConfig(config, "feature-extraction").inputs
    assert "pixel_values" in UniversalOnnxConfig(config, "image-text-to-text").inputs


class Positions(DummyTextInputGenerator):
    SUPPORTED_INPUT_NAMES = ("position_ids",)

    def describe_position_ids(self):
        return super().describe_position_ids().replace(values=Constant(3))


class OwnPositions(UniversalOnnxConfig):
    DUMMY_INPUT_GENERATOR_CLASSES = (Positions,)


def test_the_caller_wins():
    config = tiny("gemma", **TEXT)
    assert "position_ids" in UniversalOnnxConfig(config, "text-generation", feed=("position_ids",)).inputs
    assert "position_ids" in UniversalOnnxConfig(config, "text-generation", optional_inputs=True).inputs
    own = OwnPositions(config, "text-generation").generate_dummy_inputs()
    assert (own["position_ids"] == 3).all()
