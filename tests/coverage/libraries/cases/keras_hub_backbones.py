"""Keras Hub: the backbones of its presets, from small configurations; the presets themselves are downloads."""

from collections.abc import Mapping
from typing import Any

import keras_hub
from score import Case

from cases.keras_applications import name_input

TITLE = "Keras Hub"
PACKAGES = ("keras-hub", "keras", "tensorflow")
PORTION, THREADS = 8, True
_SMALL = {"vocabulary_size": 64, "num_layers": 1, "hidden_dim": 16, "intermediate_dim": 32}
_HEADS = {**_SMALL, "num_heads": 2, "max_sequence_length": 40}
_QUERIES = {**_SMALL, "num_query_heads": 2, "num_key_value_heads": 1}
_IDS = "int[batch_size, sequence_length]"
_TEXT = {"token_ids": _IDS, "padding_mask": _IDS}
_SEGMENTS = _TEXT | {"segment_ids": _IDS}
_PAIR = {
    f"{part}_{name}": f"int[batch_size, {part}_sequence_length]"
    for part in ("encoder", "decoder")
    for name in ("token_ids", "padding_mask")
}
_SOUND = {name: text for name, text in _PAIR.items() if "decoder" in name} | {
    "encoder_features": "float[batch_size, *, *]"
}
_IMAGES = {"images": "float[batch_size, height, width, num_channels]"}
_VIT = {
    "image_shape": (32, 32, 3),
    "patch_size": (8, 8),
    "num_layers": 1,
    "num_heads": 2,
    "hidden_dim": 16,
    "mlp_dim": 32,
}
_MIT = {
    "layerwise_depths": [1, 1],
    "num_layers": 2,
    "layerwise_num_heads": [1, 2],
    "layerwise_sr_ratios": [2, 1],
    "max_drop_path_rate": 0.0,
    "layerwise_patch_sizes": [7, 3],
    "layerwise_strides": [4, 2],
    "image_shape": (32, 32, 3),
    "hidden_dims": [16, 32],
}
_RESNET = {
    "input_conv_filters": [64],
    "input_conv_kernel_sizes": [7],
    "stackwise_num_filters": [64, 64, 64],
    "stackwise_num_blocks": [1, 1, 1],
    "stackwise_num_strides": [1, 2, 2],
}
_MODELS: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "Albert": ({**_HEADS, "embedding_dim": 8}, _SEGMENTS),
    "Bart": (_HEADS, _PAIR),
    "Bert": (_HEADS, _SEGMENTS),
    "Bloom": ({**_SMALL, "num_heads": 2}, _TEXT),
    "DebertaV3": ({**_HEADS, "bucket_size": 8}, _TEXT),
    "DenseNet": ({"stackwise_num_repeats": [1, 1], "compression_ratio": 0.5, "growth_rate": 4}, _IMAGES),
    "DistilBert": (_HEADS, _TEXT),
    "Electra": ({**_HEADS, "vocab_size": 64, "embedding_dim": 8}, _SEGMENTS),
    "FNet": ({**_SMALL, "max_sequence_length": 40}, {"token_ids": _IDS, "segment_ids": _IDS}),
    "Falcon": ({**_SMALL, "num_attention_heads": 2}, _TEXT),
    "GPT2": (_HEADS, _TEXT),
    "GPTNeoX": ({**_SMALL, "num_heads": 2}, _TEXT),
    "Gemma": ({**_QUERIES, "head_dim": 8}, _TEXT),
    "Llama": (_QUERIES, _TEXT),
    "MiT": (_MIT, _IMAGES),
    "Mistral": (_QUERIES, _TEXT),
    "OPT": (_HEADS, _TEXT),
    "Phi3": (_QUERIES, _TEXT),
    "Qwen": (_QUERIES, _TEXT),
    "ResNet": ({**_RESNET, "block_type": "basic_block"}, _IMAGES),
    "Roberta": (_HEADS, _TEXT),
    "T5": ({**_SMALL, "num_heads": 2}, _PAIR),
    "VGG": ({"stackwise_num_repeats": [1, 1], "stackwise_num_filters": [4, 8]}, _IMAGES),
    "ViT": (_VIT, _IMAGES),
    "Whisper": (
        {
            **_SMALL,
            "num_heads": 2,
            "num_mels": 80,
            "max_encoder_sequence_length": 60,
            "max_decoder_sequence_length": 40,
        },
        _SOUND,
    ),
    "XLMRoberta": (_HEADS, _TEXT),
}


def list_names() -> list[str]:
    """Return all backbones."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a backbone with random weights."""
    options, inputs = _MODELS[name]
    if name == "Electra":
        options = {key: value for key, value in options.items() if key != "vocabulary_size"}
    model = getattr(keras_hub.models, f"{name}Backbone")(**options)
    if inputs is _IMAGES:
        inputs = {name_input(model): _IMAGES["images"]}
    return Case(model, inputs, "tf", _call)


def _call(model: Any, made: Mapping[str, Any]) -> None:
    model(dict(made) if len(model.inputs) > 1 else next(iter(made.values())))
