"""Models with a past: what is described runs in tiny models, and what cannot be described is refused clearly."""

import pytest

import dummyio
from dummyio.errors import SourceError
from dummyio.generators.cache_text import check_kept, keeps_latent

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {
    "vocab_size": 99,
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 4,
    "intermediate_size": 37,
    "max_position_embeddings": 64,
}
LOW_RANK = {
    **TEXT,
    "qk_rope_head_dim": 4,
    "qk_nope_head_dim": 8,
    "v_head_dim": 10,
    "kv_lora_rank": 16,
    "q_lora_rank": 16,
    "first_k_dense_replace": 2,
}
SWITCHED = {
    "vocab_size": 99,
    "d_model": 32,
    "d_kv": 8,
    "d_ff": 37,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_sparse_encoder_layers": 0,
    "num_sparse_decoder_layers": 0,
    "num_heads": 4,
    "num_experts": 2,
}
CASES = [
    ("DeepseekV3ForCausalLM", LOW_RANK, "text-generation-with-past"),
    ("LlamaForCausalLM", TEXT, "text-generation-with-past"),
    ("MistralForCausalLM", {**TEXT, "sliding_window": 5}, "text-generation-with-past"),
    ("SwitchTransformersForConditionalGeneration", SWITCHED, "text2text-generation-with-past"),
]


@pytest.mark.parametrize(("name", "values", "task"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_a_past_that_a_model_takes(name, values, task):
    cls = getattr(transformers, name)
    model = cls(cls.config_class(**values)).eval()
    spec = dummyio.describe(model, task=task)
    for past in (spec.dims[n].size for n in spec.dims if n.startswith("past_")):
        for length in (past, 0):
            sizes = {n: length for n in spec.dims if n.startswith("past_")}
            with torch.no_grad():
                assert torch.isfinite(model(**spec.generate("pt", **sizes)).logits).all()
    config = {**model.config.to_dict(), "architectures": [name]}
    assert dummyio.describe(config, task=task) == spec


def test_the_low_rank_form_follows_the_text_unless_asked():
    config = {**LOW_RANK, "model_type": "deepseek_v3", "architectures": ["DeepseekV3ForCausalLM"]}
    spec = dummyio.describe(config, task="text-generation-with-past", latent=False)
    assert spec["past_key_values"][0]["key"].shape[1] == 4
    spec = dummyio.describe(config, task="text-generation-with-past", latent=True)
    assert [leaf.shape[1] for path, leaf in spec.leaves if path.startswith("past_key_values.0")] == [1, 1]


VIEWED = "kv = self.norm(kv).view(batch_size, 1, seq_length, self.kv_lora_rank)\n"


@pytest.mark.parametrize(
    ("text", "latent"),
    [
        (VIEWED + "kv, rot = past_key_values.update(kv, rot, self.layer_idx)", True),
        (VIEWED + "keys, values = past_key_values.update(keys, values, self.layer_idx)", False),
        ("kv, rot = past_key_values.update(kv, rot, self.layer_idx)", False),
        ("", False),
    ],
)
def test_what_a_text_keeps(text, latent):
    assert keeps_latent({"model": text}) is latent


def test_a_third_state_is_refused():
    check_kept({"model": "past_key_values.update(k, v, 0)"})
    with pytest.raises(SourceError, match="indexer"):
        check_kept({"text": "k = past_key_values.update_indexer(k, self.layer_idx)"})


@pytest.mark.parametrize(
    ("model_type", "message"),
    [("mamba", "takes no past_key_values"), ("qwen3_next", "state is not keys and values"), ("bert", None)],
)
def test_what_cannot_be_kept_is_said(model_type, message):
    if message is None:
        assert "past_key_values" in dummyio.describe({"model_type": model_type}, task="text-generation-with-past")
        return
    with pytest.raises(SourceError, match=message):
        dummyio.describe({"model_type": model_type}, task="text-generation-with-past")


def test_a_head_that_counts_ends_gets_one_in_each_row():
    sizes = {
        "d_model": 16,
        "encoder_layers": 1,
        "decoder_layers": 1,
        "encoder_ffn_dim": 16,
        "decoder_ffn_dim": 16,
        "vocab_size": 9,
    }
    heads = {
        "encoder_attention_heads": 2,
        "decoder_attention_heads": 2,
        "pad_token_id": 1,
        "bos_token_id": 0,
        "eos_token_id": 2,
    }
    cls = transformers.BartForSequenceClassification
    model = cls(cls.config_class(**sizes, **heads)).eval()
    spec = dummyio.describe(model, task="feature-extraction")  # the class decides, whatever it is asked for
    made = spec.generate("pt", batch_size=5)
    assert ((made["input_ids"] == 2).sum(-1) == 1).all()
    with torch.no_grad():
        assert model(**made).logits.shape == (5, 3)
