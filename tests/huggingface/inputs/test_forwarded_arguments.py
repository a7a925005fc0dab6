"""Data that a model takes by `**kwargs` alone: found where the text hands these on, fed, and taken."""

import pytest
import tiny_configs

import dummyio
from dummyio.huggingface.config.configuration import read_configuration
from dummyio.huggingface.inputs.forwarded_arguments import find_forwarded_arguments

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {**tiny_configs.TEXT, "num_key_value_heads": 2, "head_dim": 8}
PACKED = {
    "model_type": "qwen3_5",
    "image_token_id": 3,
    "video_token_id": 4,
    "vision_start_token_id": 5,
    "vision_end_token_id": 6,
    "text_config": {
        **TEXT,
        "model_type": "qwen3_5_text",
        "layer_types": ["full_attention", "linear_attention"],
        "linear_conv_kernel_dim": 2,
        "linear_key_head_dim": 16,
        "linear_num_key_heads": 4,
        "linear_num_value_heads": 8,
        "linear_value_head_dim": 16,
    },
    "vision_config": {
        "model_type": "qwen3_5_vision",
        "depth": 1,
        "hidden_size": 32,
        "intermediate_size": 32,
        "num_heads": 4,
        "num_position_embeddings": 16,
        "out_hidden_size": 32,
        "patch_size": 16,
        "spatial_merge_size": 1,
    },
}
RETRIEVAL = {
    "model_type": "colpali",
    "vlm_config": {
        "model_type": "paligemma",
        "image_token_index": 98,
        "projection_dim": 32,
        "text_config": {**TEXT, "model_type": "gemma", "num_image_tokens": 4},
        "vision_config": {
            "model_type": "siglip_vision_model",
            "hidden_size": 32,
            "image_size": 32,
            "patch_size": 16,
            "num_hidden_layers": 1,
            "num_attention_heads": 4,
            "intermediate_size": 37,
            "projection_dim": 32,
        },
    },
}


def handed(class_name, config):
    return set(find_forwarded_arguments(class_name, read_configuration(config).normalized({})))


@pytest.mark.parametrize(
    ("class_name", "config", "expected"),
    [
        ("Qwen3_5ForTokenClassification", PACKED, {"pixel_values", "image_grid_thw", "mm_token_type_ids"}),
        ("ColPaliForRetrieval", RETRIEVAL, {"token_type_ids"}),
    ],
)
def test_what_is_handed_on_is_fed_and_taken(class_name, config, expected):
    cls = getattr(transformers, class_name)
    model = cls(cls.config_class.from_dict(config)).eval()
    spec = dummyio.describe(model)
    described = dummyio.describe({**model.config.to_dict(), "architectures": [class_name]})
    assert expected <= set(spec)
    assert dict(spec) == dict(described)
    inner = []
    part = getattr(model, model.base_model_prefix, None) or model.vlm.model
    part.register_forward_pre_hook(lambda _, args, kwargs: inner.append(set(kwargs)), with_kwargs=True)
    with torch.no_grad():
        model(**spec.generate("pt"))
    assert expected <= inner[0]


def test_a_task_that_is_asked_for_gets_what_an_export_needs():
    spec = dummyio.describe({**RETRIEVAL, "architectures": ["ColPaliForRetrieval"]}, task="retrieval")
    assert "token_type_ids" not in spec


@pytest.mark.parametrize(
    ("class_name", "model_type"),
    [
        ("BertForSequenceClassification", "bert"),  # a past and an encoder's states are no data
        ("LlamaForTokenClassification", "llama"),  # the inner model takes nothing more
        ("T5ForConditionalGeneration", "t5"),  # a switch's keywords go nowhere
        ("SomebodysModel", "bert"),  # remote code
    ],
)
def test_nothing_is_handed_where_nothing_is_taken(class_name, model_type):
    assert handed(class_name, {"model_type": model_type}) == set()
