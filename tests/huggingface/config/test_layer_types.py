"""What a configuration class makes of layers that a configuration does not name."""

import pytest

from dummyio.errors import SourceError
from dummyio.huggingface.config.configuration import read_configuration
from dummyio.huggingface.config.layer_types import check_layer_types, compute_layer_types, computed_layer_types
from dummyio.model_config.normalized_config import NormalizedConfig

pytest.importorskip("transformers")


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("qwen3_next", {"linear_attention", "full_attention"}),
        ("gemma2", {"sliding_attention", "full_attention"}),
        ("bert", set()),
        ("nothing of that name", set()),
    ],
)
def test_kinds_stand_in_the_text(kind, expected):
    assert computed_layer_types(kind) == expected


def test_only_what_is_not_said_is_refused():
    check_layer_types(NormalizedConfig({"model_type": "gemma2"}))
    check_layer_types(NormalizedConfig({}))
    check_layer_types(NormalizedConfig({"model_type": "qwen3_next", "layer_types": ["full_attention"]}))
    with pytest.raises(SourceError, match="linear_attention"):
        check_layer_types(NormalizedConfig({"model_type": "qwen3_next"}))


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("bamba", {"num_hidden_layers": 3, "attn_layer_indices": [1]}),
        ("falcon_h1", {"num_hidden_layers": 2}),
        ("gemma2", {"num_hidden_layers": 3}),
        ("jamba", {"num_hidden_layers": 4, "attn_layer_period": 2, "attn_layer_offset": 1}),
        ("lfm2", {"num_hidden_layers": 3, "full_attn_idxs": [1]}),
        ("olmo_hybrid", {"num_hidden_layers": 5}),
        ("qwen3_next", {"num_hidden_layers": 4, "full_attention_interval": 2}),
        ("zamba", {"num_hidden_layers": 6, "attn_layer_period": 2, "attn_layer_offset": 1}),
    ],
)
def test_kinds_are_worked_out_as_the_class_does(kind, config):
    transformers = pytest.importorskip("transformers")
    own = transformers.AutoConfig.for_model(kind, **config).layer_types
    found = read_configuration({"model_type": kind, **config}).normalized({}).get("layer_types")
    assert list(found) == list(own)


def test_kinds_are_worked_out_in_parts_too():
    sub = {"num_hidden_layers": 4, "full_attention_interval": 2, "model_type": "qwen3_5_text"}
    found = read_configuration({"model_type": "qwen3_5", "text_config": sub}).normalized({})
    assert found.part("text").get("layer_types") == ("linear_attention", "full_attention") * 2


def test_kinds_that_do_not_fit_are_not_taken():
    named = NormalizedConfig({"layers_block_type": ["hybrid"], "num_hidden_layers": 1})
    assert "layer_types" not in compute_layer_types("zamba", named)
    # This class has a list of its own that goes with its usual number of layers only.
    assert compute_layer_types("zamba2", NormalizedConfig({"num_hidden_layers": 4})) == {}
    # The caller's number of layers is not what the class counted.
    config = read_configuration({"model_type": "qwen3_next", "num_hidden_layers": 4}).normalized({"num_layers": 2})
    assert config.get("layer_types") is None


def test_old_names_of_kinds_are_those_of_today():
    old = {
        "model_type": "zamba",
        "layers_block_type": ["mamba", "hybrid"],
        "text_config": {"layer_types": ["attention"]},
    }
    values = read_configuration(old).values
    assert values["layers_block_type"] == ["linear_attention", "hybrid"]
    assert values["text_config"] == {"layer_types": ["full_attention"]}
    assert old["layers_block_type"] == ["mamba", "hybrid"]
    named = {"model_type": "zamba", "layer_types": ["hybrid"], "text_config": {"hidden_size": 8}}
    assert read_configuration(named).values is named


@pytest.mark.slow
def test_every_configuration_class_can_be_asked():
    transformers = pytest.importorskip("transformers")
    for kind in transformers.models.auto.configuration_auto.CONFIG_MAPPING_NAMES:
        assert isinstance(compute_layer_types(kind, NormalizedConfig({"model_type": kind})), dict)
