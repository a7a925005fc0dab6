"""Layers that keep something else than keys and values, or more: what is described is what a model's own cache holds after a prefill."""

import pytest
import tiny_configs

import dummyio
from dummyio.errors import OptionError, SourceError
from dummyio.generators.base.model_facts import LayerState
from dummyio.huggingface.facts.layer_states import read_layer_state
from dummyio.model_config.normalized_config import NormalizedConfig

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TASK = "text-generation-with-past"
TEXT = {
    **tiny_configs.TEXT,
    "num_hidden_layers": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 40,
    "max_position_embeddings": 64,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}
SCAN = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_d_state": 6, "mamba_n_groups": 2}
DELTA = {
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 4,
    "linear_key_head_dim": 8,
    "linear_value_head_dim": 6,
    "head_dim": 8,
}
EXPERTS = {
    "num_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "shared_expert_intermediate_size": 16,
}
ROUTED = {
    "mamba_num_heads": 8,
    "mamba_head_dim": 8,
    "ssm_state_size": 6,
    "n_groups": 2,
    "n_routed_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 16,
    "moe_shared_expert_intermediate_size": 16,
    "head_dim": 8,
}
ALTERNATING = {"layer_types": ["linear_attention", "full_attention"] * 2}
INDEXED = {
    **TEXT,
    **tiny_configs.LOW_RANK,
    "num_key_value_heads": 4,
    "first_k_dense_replace": 4,
    "index_head_dim": 6,
    "index_n_heads": 4,
    "index_topk": 4,
}
ALONE = {"vocab_size": 99, "hidden_size": 32, "num_hidden_layers": 2, "state_size": 7}
CASES = {
    "MambaForCausalLM": ALONE,
    "Mamba2ForCausalLM": {**ALONE, "num_heads": 8, "head_dim": 8, "expand": 2, "n_groups": 2},
    "BambaForCausalLM": {**TEXT, **SCAN, "attn_layer_indices": [1]},
    "DeepseekV32ForCausalLM": INDEXED,
    "FalconH1ForCausalLM": {**TEXT, **SCAN, "mamba_d_ssm": 64},
    "JambaForCausalLM": {
        **TEXT,
        "attn_layer_period": 2,
        "attn_layer_offset": 1,
        "mamba_d_state": 6,
        "mamba_dt_rank": 4,
    },
    "Lfm2ForCausalLM": {**TEXT, "layer_types": ["conv", "full_attention"] * 2},
    "NemotronHForCausalLM": {**TEXT, **ROUTED, "layer_types": ["linear_attention", "moe", "full_attention", "mlp"]},
    "Qwen3NextForCausalLM": {**TEXT, **DELTA, **EXPERTS, **ALTERNATING},
    "ZambaForCausalLM": {
        **TEXT,
        "mamba_d_state": 6,
        "n_mamba_heads": 2,
        "mamba_dt_rank": 4,
        "layers_block_type": ["linear_attention", "hybrid"] * 2,
    },
}


def tiny(name):
    cls = getattr(transformers, name, None)
    if cls is None:
        pytest.skip("not in this release")
    torch.manual_seed(0)
    return cls(cls.config_class(**CASES[name])).eval()


def held(cache):
    """What a cache holds, by the names that descriptions have."""
    found = {}
    for place, layer in enumerate(cache.layers):
        for name, own in (("key", "keys"), ("value", "values"), ("indexer_key", "indexer_keys")):
            if getattr(layer, own, None) is not None:
                found[f"{place}.{name}"] = getattr(layer, own)
        for name in ("conv_state", "recurrent_state"):
            for state in getattr(layer, f"{name}s", {}).values():
                if state is not None:
                    found[f"{place}.{name}"] = state
    return {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in found.items()}


@pytest.mark.parametrize("name", CASES)
def test_a_models_own_cache_is_what_is_described(name):
    model = tiny(name)
    spec = dummyio.describe(model, task=TASK)
    past = next(each for each in ("past_key_values", "cache_params") if each in spec)
    with torch.no_grad():
        own = model(input_ids=torch.randint(3, 99, (2, 8)), use_cache=True)[past]
    made = spec.generate("pt")
    assert held(made[past]) == held(own)
    assert [type(layer) for layer in made[past].layers] == [type(layer) for layer in own.layers]
    assert {path.removeprefix(f"{past}.") for path, _ in spec.leaves if path.startswith(past)} == set(held(own))


@pytest.mark.parametrize("name", CASES)
def test_a_model_goes_on_from_what_is_generated(name):
    model = tiny(name)
    spec = dummyio.describe(model, task=TASK)
    for sizes in ({}, {"sequence_length": 1, "batch_size": 3}, {n: 0 for n in spec.dims if n.startswith("past_")}):
        made = spec.generate("pt", **sizes)
        with torch.no_grad():
            logits = model(**made).logits
        assert logits.shape[:2] == made["input_ids"].shape
        assert torch.isfinite(logits).all()
    config = {**model.config.to_dict(), "architectures": [name]}
    assert dummyio.describe(config, task=TASK) == spec


def test_the_state_decides_what_comes_out():
    model = tiny("MambaForCausalLM")
    spec = dummyio.describe(model, task=TASK)
    with torch.no_grad():
        one, same, other = (model(**spec.generate("pt", seed=seed)).logits for seed in (0, 0, 1))
        made = spec.generate("pt") | {"input_ids": spec.generate("pt", seed=1)["input_ids"]}
        mixed = model(**made).logits
    assert torch.equal(one, same)
    assert not torch.allclose(other, mixed)  # the same ids after another past


def test_states_of_half_precision_models_stay_in_single_where_they_add_up():
    model = tiny("Mamba2ForCausalLM").to(torch.bfloat16)
    made = dummyio.describe(model, task=TASK, float_dtype="bf16").generate("pt")
    with torch.no_grad():
        own = model(input_ids=torch.randint(3, 99, (2, 8)), use_cache=True).cache_params
    assert held(made["cache_params"]) == held(own)


def test_outputs_are_the_states_that_come_next():
    spec = dummyio.describe(tiny("FalconH1ForCausalLM"), task=TASK)
    shapes = {output.name: ", ".join(map(str, output.shape)) for output in spec.outputs}
    assert shapes["present.1.recurrent_state"] == "batch_size, 8, 8, 6"
    assert shapes["present.1.key"] == "batch_size, 2, past_sequence_length + sequence_length, 8"


def linear(*places):
    return ["StaticLayer" if place in places else "LinearAttentionLayer" for place in range(4)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("BambaForCausalLM", linear(1)),
        ("FalconH1ForCausalLM", ["LinearAttentionAndStaticFullAttentionLayer"] * 4),
        ("DeepseekV32ForCausalLM", ["StaticIndexedLayer"] * 4),
    ],
)
def test_a_cache_of_a_fixed_length_holds_them_too(name, expected):
    model = tiny(name)
    grows, fixed = (dummyio.describe(model, task=TASK, cache=form).generate("pt") for form in ("dynamic", "static"))
    fixed = {**grows, "past_key_values": fixed["past_key_values"]}
    layers = [made["past_key_values"].layers for made in (grows, fixed)]
    assert [type(layer).__name__ for layer in layers[1]] == expected
    for own, held in zip(*layers, strict=True):
        for kept in ("keys", "values", "indexer_keys"):
            if getattr(own, kept, None) is not None:
                getattr(held, kept)[..., :8, :] = getattr(own, kept)
    with torch.no_grad():
        torch.testing.assert_close(model(**fixed).logits, model(**grows).logits)


@pytest.mark.parametrize("option", [{"cache": "legacy"}, {"fused": True}])
def test_states_are_not_pairs_of_keys_and_values(option):
    with pytest.raises(OptionError, match="keys and values only"):
        dummyio.describe(tiny("BambaForCausalLM"), task=TASK, **option)


KEEPER = """
class Keeper(nn.Module):
    def __init__(self, config, layer_idx):
        super().__init__()
        self.{sizes}
        width = int(config.expand * config.hidden_size)
        self.conv1d = nn.Conv1d(width, width, {kernel}, groups=width)

    def forward(self, x, cache):
        x = cache.update_conv_state(x, self.layer_idx)
        cache.update_recurrent_state(self.scan(x), self.layer_idx)
"""
RECURRENT = {"hidden_size": 8, "expand": 1.5, "num_layers": 1, "layer_types": ["linear_attention"], "heads": 2}


def states(text, **config):
    return read_layer_state(NormalizedConfig({**RECURRENT, **config}), {"model": text})


@pytest.mark.parametrize(
    ("sizes", "kernel", "expected"),
    [
        ("num_heads, self.head_dim = config.heads, 3", "4", LayerState((12, 4), (2, 3, 3))),
        ("num_heads, self.head_dim, self.ssm_state_size = 2, 3, 5", "(4,)", LayerState((12, 4), (2, 3, 5))),
        ("intermediate_size, self.ssm_state_size = 12, 5", "kernel_size=3", LayerState((12, 3), (12, 5))),
        ("num_v_heads, self.head_k_dim, self.head_v_dim = 2, 3, 4", "3", LayerState((12, 3), (2, 3, 4))),
    ],
)
def test_shapes_follow_the_text(sizes, kernel, expected):
    assert states(KEEPER.format(sizes=sizes, kernel=kernel)) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            KEEPER.format(sizes="num_heads, self.head_dim = 2, 3", kernel="4").replace(
                "x, self.", "x, state_idx=1, layer_idx=self."
            ),
            "more than one state",
        ),
        ("class Other: pass\n", "no class of its source text"),
        (KEEPER.format(sizes="num_heads = 2", kernel="4"), "does not name the sizes"),
        (KEEPER.format(sizes="num_heads, self.head_dim = 2, config.no_such", kernel="4"), "does not name the sizes"),
        (KEEPER.format(sizes="num_heads, self.head_dim = 2, 0", kernel="4"), "its size is 0"),
        (KEEPER.format(sizes="num_heads, self.head_dim = 2, 3", kernel="config.no_such"), "kernel_size is None"),
        (
            KEEPER.format(sizes="num_heads, self.head_dim = 2, 3", kernel="4").replace("config, ", ""),
            "does not take the configuration",
        ),
        (KEEPER.format(sizes="num_heads, self.head_dim = 2, 3", kernel="4") * 2, "more than one class"),
    ],
)
def test_what_the_text_does_not_tell_is_refused(text, message):
    with pytest.raises(SourceError, match=message):
        states(text)


def test_a_cache_of_a_models_own_is_refused():
    config = {"model_type": "xlstm", "architectures": ["xLSTMForCausalLM"]}
    with pytest.raises(SourceError, match="neither its configuration nor its source text"):
        dummyio.describe(config, task=TASK)


def test_without_such_layers_nothing_is_looked_for():
    assert states("", layer_types=["full_attention"]) is None
