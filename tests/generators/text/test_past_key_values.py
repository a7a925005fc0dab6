"""What models keep of the past: geometry from attributes, layouts from words."""

import time
from types import SimpleNamespace

import numpy as np
import pytest

from dummyio.errors import MemoryBudgetError, OptionError, SourceError
from dummyio.generators.registry import (
    OPTIONS,
    DummyPastKeyValuesGenerator,
    DummySeq2SeqPastKeyValuesGenerator,
    MultiQueryPastKeyValuesGenerator,
    build_context,
    generator_for,
)
from dummyio.input_spec import InputSpec
from dummyio.model_config.layer_geometry import Layer, cross_layers, past_limit, self_layers
from dummyio.model_config.normalized_config import NormalizedConfig

BASE = {"num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 32}
TASK = "text-generation-with-past"


def layers(config, **options):
    return self_layers(NormalizedConfig(config), **options)


@pytest.mark.parametrize(
    ("config", "layer"),
    [
        ({}, Layer(4, 8, 8)),
        ({"num_key_value_heads": None}, Layer(4, 8, 8)),
        ({"num_key_value_heads": 2}, Layer(2, 8, 8)),
        ({"num_kv_heads": 2, "head_dim": 5}, Layer(2, 5, 5)),
        ({"head_dim": 6, "v_head_dim": 10}, Layer(4, 6, 10)),
        ({"multi_query": True}, Layer(1, 8, 8)),
        ({"multi_query": False}, Layer(4, 8, 8)),
        ({"multi_query": True, "num_kv_heads": 4}, Layer(1, 8, 8)),
        ({"multi_query": True, "new_decoder_architecture": True, "num_kv_heads": 2}, Layer(2, 8, 8)),
        ({"multi_query_attention": False, "multi_query_group_num": 2}, Layer(4, 8, 8)),
        ({"multi_query_attention": True, "multi_query_group_num": 2}, Layer(2, 8, 8)),
        ({"d_kv": 7}, Layer(4, 7, 7)),
        ({"qk_rope_head_dim": 6, "qk_nope_head_dim": 10, "v_head_dim": 12, "num_key_value_heads": 4}, Layer(4, 16, 12)),
        (
            {"decoder_layers": 2, "decoder_attention_heads": 8, "encoder_layers": 3, "encoder_attention_heads": 2},
            Layer(8, 4, 4),
        ),
        ({"sliding_window": 5}, Layer(4, 8, 8, 5)),
        ({"sliding_window": 5, "use_sliding_window": False}, Layer(4, 8, 8)),
        ({"text_config": {**BASE, "num_key_value_heads": 1}}, Layer(1, 8, 8)),
    ],
)
def test_geometry_of_attributes(config, layer):
    assert layers({**BASE, **config}) == (layer, layer)


def test_low_rank_keys_can_be_kept_as_they_are():
    config = {**BASE, "qk_rope_head_dim": 6, "qk_nope_head_dim": 10, "v_head_dim": 12, "kv_lora_rank": 20}
    assert layers(config, latent=True) == (Layer(1, 20, 6),) * 2
    generator = DummyPastKeyValuesGenerator(TASK, config, latent=True)
    assert generator.spec("past_key_values.0.key").sizes() == (2, 1, 8, 20)
    assert generator.spec("past_key_values.0.value").sizes() == (2, 1, 8, 6)


@pytest.mark.parametrize(
    "config",
    [
        {"num_key_value_heads": [1, 2]},
        {"per_layer_config": {"0": {"num_key_value_heads": 1}, "01": {"num_key_value_heads": 2}}},
        {"per_layer_config": [SimpleNamespace(num_key_value_heads=1), SimpleNamespace(num_key_value_heads=2)]},
        {
            "layer_types": ["full_attention", "sliding_attention"],
            "num_global_key_value_heads": 1,
            "num_key_value_heads": 2,
        },
        {
            "layer_types": ["full_attention", "sliding_attention"],
            "swa_num_key_value_heads": 2,
            "num_key_value_heads": 1,
        },
    ],
)
def test_each_layer_can_differ(config):
    assert [layer.heads for layer in layers({**BASE, **config})] == [1, 2]


def test_layers_that_share_keep_nothing():
    assert len(layers({**BASE, "num_hidden_layers": 5, "num_kv_shared_layers": 2})) == 3


def test_windows_are_of_some_layers():
    config = {**BASE, "layer_types": ["sliding_attention", "full_attention"], "sliding_window": 6}
    assert [layer.window for layer in layers(config)] == [6, None]
    assert past_limit(NormalizedConfig(config)) == 5
    assert past_limit(NormalizedConfig({**config, "layer_types": ["full_attention"] * 2})) is None
    assert DummyPastKeyValuesGenerator(TASK, config).spec("past_key_values.1.key").sizes() == (2, 4, 5, 8)


@pytest.mark.parametrize(
    "config",
    [
        {"layer_types": ["full_attention", "linear_attention"]},
        {"attn_layer_period": 2, "attn_layer_offset": 1},
        {"layers_block_type": ["hybrid", "attention"]},
    ],
)
def test_a_state_that_is_not_keys_and_values_is_refused(config):
    with pytest.raises(SourceError, match="not keys and values"):
        layers({**BASE, **config})


@pytest.mark.parametrize("lacking", BASE)
def test_what_is_missing_is_named(lacking):
    with pytest.raises(SourceError, match=lacking.replace("num_hidden_layers", "num_layers")):
        layers({key: value for key, value in BASE.items() if key != lacking})


def test_attention_to_the_encoder_has_the_decoders_heads():
    config = {
        "d_model": 32,
        "encoder_layers": 1,
        "decoder_layers": 2,
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 4,
    }
    assert cross_layers(NormalizedConfig(config)) == (Layer(4, 8, 8),) * 2
    named = {**config, "cross_num_key_value_heads": 2, "cross_head_dim": 5}
    assert cross_layers(NormalizedConfig(named)) == (Layer(2, 5, 5),) * 2


@pytest.mark.parametrize(
    ("options", "shapes"),
    [
        ({}, {"key": "batch_size, 2, past_sequence_length, 8", "value": "batch_size, 2, past_sequence_length, 8"}),
        (
            {"key_layout": "b h d s"},
            {"key": "batch_size, 2, 8, past_sequence_length", "value": "batch_size, 2, past_sequence_length, 8"},
        ),
        (
            {"key_layout": "(b h) d s", "value_layout": "(b h) s d"},
            {"key": "batch_size * 2, 8, past_sequence_length", "value": "batch_size * 2, past_sequence_length, 8"},
        ),
        (
            {"key_layout": "b s h d", "value_layout": "b s (h d)"},
            {"key": "batch_size, past_sequence_length, 2, 8", "value": "batch_size, past_sequence_length, 16"},
        ),
    ],
)
def test_layouts(options, shapes):
    generator = DummyPastKeyValuesGenerator(TASK, {**BASE, "num_key_value_heads": 2}, **options)
    layer = generator.spec("past_key_values.0")
    assert {name: ", ".join(map(str, spec.shape)) for name, spec in layer.items} == shapes


def test_keys_and_values_can_be_one_tensor():
    generator = DummyPastKeyValuesGenerator(TASK, {**BASE, "num_key_value_heads": 2}, fused=True)
    spec = generator.spec("past_key_values.1.key_value")
    assert ", ".join(map(str, spec.shape)) == "batch_size, 2, past_sequence_length, 16"
    assert [layer.shape for layer in generator.generate("past_key_values", "np")] == [(2, 2, 8, 16)] * 2
    with pytest.raises(OptionError, match="apart only"):
        DummySeq2SeqPastKeyValuesGenerator(TASK, BASE, fused=True).spec("past_key_values")


def test_folded_heads_by_name():
    assert MultiQueryPastKeyValuesGenerator(TASK, BASE).spec("past_key_values.0.key").sizes() == (8, 8, 8)


@pytest.mark.parametrize("layout", ["b h s", "b h s d d", "b h s d x", "b h s (d", "", "b s d"])
def test_what_is_no_layout_is_an_error(layout):
    with pytest.raises(OptionError, match="layout"):
        DummyPastKeyValuesGenerator(TASK, BASE, key_layout=layout).spec("past_key_values")


def test_one_head_needs_no_axis():
    config = {**BASE, "multi_query": True}
    assert DummyPastKeyValuesGenerator(TASK, config, key_layout="b s d").spec("past_key_values.0.key").sizes() == (
        2,
        8,
        8,
    )


def test_flat_names_are_those_of_exports():
    spec = InputSpec({"past_key_values": DummyPastKeyValuesGenerator(TASK, BASE).spec("past_key_values")})
    assert [path for path, _ in spec.leaves][:3] == [
        "past_key_values.0.key",
        "past_key_values.0.value",
        "past_key_values.1.key",
    ]
    beside = DummySeq2SeqPastKeyValuesGenerator(TASK, BASE)
    spec = InputSpec({"past_key_values": beside.spec("past_key_values")})
    assert [path for path, _ in spec.leaves][:4] == [
        f"past_key_values.0.{part}" for part in ("decoder.key", "decoder.value", "encoder.key", "encoder.value")
    ]
    assert beside.spec("past_key_values.1.encoder.value").sizes() == (2, 4, 16, 8)
    with pytest.raises(OptionError, match="no part"):
        beside.spec("past_key_values.1.encoder")


def test_a_cache_is_a_list_of_tuples_of_centred_floats():
    cache = DummyPastKeyValuesGenerator(TASK, BASE, batch_size=32).generate("past_key_values", "np", float_dtype="bf16")
    assert type(cache) is list
    assert [type(layer) for layer in cache] == [tuple, tuple]
    key, value = cache[0]
    assert key.dtype == value.dtype == "bfloat16"
    assert abs(float(key.astype(np.float32).mean())) < 0.02
    assert not np.array_equal(key, value)


def test_a_cache_by_itself_takes_the_sequences_length_for_the_pasts():
    assert DummyPastKeyValuesGenerator(TASK, BASE, sequence_length=3).spec("past_key_values.0.key").sizes() == (
        2,
        4,
        3,
        8,
    )
    both = DummyPastKeyValuesGenerator(TASK, BASE, sequence_length=3, past_sequence_length=5)
    assert both.spec("past_key_values.0.key").sizes() == (2, 4, 5, 8)


def test_positions_in_the_cache_follow_the_past():
    generator = DummyPastKeyValuesGenerator(TASK, BASE, past_sequence_length=3)
    assert generator.generate("cache_position", "np").tolist() == list(range(3, 19))
    context = build_context("text-generation", NormalizedConfig(BASE), {}, names=frozenset({"cache_position"}))
    assert generator_for("cache_position", context).generate("cache_position", "np").tolist() == list(range(16))


def test_the_branch_with_a_past_is_chosen_where_there_is_one():
    for task, chosen in ((TASK, True), ("text-generation", False)):
        branch = DummyPastKeyValuesGenerator(task, BASE).generate("use_cache_branch", "np")
        assert (branch.dtype, branch.tolist()) == (np.bool_, [chosen])


def test_the_rules_find_a_decoder_beside_an_encoder():
    composite = {"encoder": {"hidden_size": 8}, "decoder": BASE}
    for config, fields in ((composite, {}), (BASE, {"encoder_decoder": True})):
        context = build_context(TASK, NormalizedConfig(config), {}, OPTIONS, **fields)
        assert type(generator_for("past_key_values", context)) is DummySeq2SeqPastKeyValuesGenerator
    alone = build_context(
        TASK, NormalizedConfig({"encoder_config": {"hidden_size": 8}, "text_config": BASE}), {}, OPTIONS
    )
    assert type(generator_for("past_key_values", alone)) is DummyPastKeyValuesGenerator


def test_a_terabyte_is_described_as_fast_as_a_gigabyte():
    config = {"num_hidden_layers": 64, "num_attention_heads": 64, "hidden_size": 8192}
    took = {}
    for length in (512, 512_000):
        start = time.perf_counter()
        node = DummyPastKeyValuesGenerator(TASK, config, past_sequence_length=length).spec("past_key_values")
        took[length] = time.perf_counter() - start
    spec = InputSpec({"past_key_values": node})
    assert spec.nbytes() > 2 * 10**12
    assert took[512_000] < 10 * took[512] + 0.5
    with pytest.raises(MemoryBudgetError):
        spec.generate("np")
