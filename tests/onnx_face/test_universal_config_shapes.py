"""Predicted outputs against real runs: names and order of all that a class returns, and shapes at two sizes."""

import pytest

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

from transformers_results import name_tensors

from dummyio.onnx import UniversalOnnxConfig

TEXT = {
    "vocab_size": 100,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
VISION = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "image_size": 32,
    "patch_size": 8,
}
GPT2 = {"vocab_size": 100, "n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64}
T5 = {"vocab_size": 100, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4}
BART = {
    "vocab_size": 100,
    "d_model": 32,
    "encoder_layers": 2,
    "decoder_layers": 2,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "encoder_ffn_dim": 64,
    "decoder_ffn_dim": 64,
}
WAV2VEC2 = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "conv_dim": (16, 16),
    "conv_kernel": (8, 3),
    "conv_stride": (4, 2),
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "vocab_size": 30,
}
WHISPER = {
    **BART,
    "num_mel_bins": 8,
    "max_source_positions": 20,
    "max_target_positions": 40,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "decoder_start_token_id": 1,
}
CLIP = {
    "text_config": {**TEXT, "projection_dim": 16},
    "vision_config": {**VISION, "projection_dim": 16},
    "projection_dim": 16,
}
DETR_BACKBONE = {
    "model_type": "resnet",
    "embedding_size": 8,
    "hidden_sizes": [8, 16],
    "depths": [1, 1],
    "out_features": ["stage2"],
}
CASES = [
    ("bert", TEXT, "feature-extraction", {"sequence_length": 9}),
    ("bert", TEXT, "question-answering", {"sequence_length": 9}),
    ("bert", TEXT, "next-sentence-prediction", {"sequence_length": 9}),
    ("bert", TEXT, "pretraining", {"sequence_length": 9}),
    ("bert", TEXT, "multiple-choice", {"num_choices": 3}),
    ("roberta", TEXT, "token-classification", {"sequence_length": 9}),
    ("gpt2", GPT2, "text-generation", {"sequence_length": 9}),
    ("gpt2", GPT2, "text-generation-with-past", {"past_sequence_length": 5}),
    ("t5", T5, "feature-extraction", {"encoder_sequence_length": 9, "decoder_sequence_length": 5}),
    ("bart", BART, "text2text-generation", {"encoder_sequence_length": 9, "decoder_sequence_length": 5}),
    ("vit", VISION, "image-classification", {}),
    ("vit", VISION, "feature-extraction", {}),
    ("wav2vec2", WAV2VEC2, "feature-extraction", {"audio_sequence_length": 4000}),
    ("wav2vec2", WAV2VEC2, "automatic-speech-recognition", {"audio_sequence_length": 4000}),
    ("whisper", WHISPER, "automatic-speech-recognition", {"decoder_sequence_length": 5}),
    ("clip", CLIP, "zero-shot-image-classification", {"text_batch_size": 4}),
    (
        "segformer",
        {"hidden_sizes": [8, 16, 32, 32], "depths": [1, 1, 1, 1], "decoder_hidden_size": 16},
        "semantic-segmentation",
        {"height": 96},
    ),
]


@pytest.mark.parametrize(("kind", "values", "task", "sizes"), CASES, ids=[f"{case[0]}-{case[2]}" for case in CASES])
def test_outputs_are_those_of_a_run(kind, values, task, sizes):
    config = transformers.AutoConfig.for_model(kind, **values)
    onnx_config = UniversalOnnxConfig(config, task)
    torch.manual_seed(0)
    model = getattr(transformers, onnx_config.class_name)(config).eval()
    for given in ({}, {"batch_size": 3, **sizes}):
        with torch.no_grad():
            real = name_tensors(model(**onnx_config.generate_dummy_inputs(**given)))
        if onnx_config.use_past:  # what an encoder returned is an input of a step, and so is its cache
            real = {name: tensor for name, tensor in real.items() if "encoder" not in name.replace("decoder", "")}
        assert list(real) == onnx_config.get_output_names()
        assert onnx_config.get_output_shapes(**given) == {name: tuple(tensor.shape) for name, tensor in real.items()}


def test_presents_have_the_shapes_of_a_run():
    config = transformers.GPT2Config(**GPT2)
    onnx_config = UniversalOnnxConfig(config, "text-generation-with-past")
    model = transformers.GPT2LMHeadModel(config).eval()
    sizes = {"batch_size": 3, "past_sequence_length": 5, "sequence_length": 4}
    with torch.no_grad():
        cache = model(**onnx_config.generate_dummy_inputs(**sizes)).past_key_values
    predicted = onnx_config.get_output_shapes(**sizes)
    assert predicted["present.1.value"] == tuple(cache.layers[1].values.shape) == (3, 2, 9, 16)


def test_a_live_model_that_needs_values_is_run_with_those_of_the_spec():
    class Sums(torch.nn.Module):
        def forward(self, x):
            return {"sums": x.sum(1), "scaled": x * float(x.sum() > 0)}

    onnx_config = UniversalOnnxConfig(Sums())
    assert onnx_config.get_output_names() == ["sums", "scaled"]


def test_a_shape_that_cannot_be_predicted_is_none():
    spec = UniversalOnnxConfig({"model_type": "vit", **VISION}).spec
    assert UniversalOnnxConfig(spec).get_output_shapes()["last_hidden_state"] is None
