"""Models with a past: what is described runs in tiny models, and what cannot be described is refused clearly."""

from dataclasses import replace

import pytest
import tiny_configs

import dummyio
from dummyio.errors import SourceError
from dummyio.generators import DummyPastKeyValuesGenerator
from dummyio.generators.base.model_facts import ModelFacts
from dummyio.huggingface.facts.cache_layout import caches_indexer_keys, caches_latent_attention

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {**tiny_configs.TEXT, "num_key_value_heads": 4, "max_position_embeddings": 64}
LOW_RANK = {**TEXT, **tiny_configs.LOW_RANK}
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


BESIDE = {**tiny_configs.PAIR, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64}
FORMS = [
    *CASES[1:3],
    ("GPT2LMHeadModel", {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 20}, CASES[1][2]),
    ("BartForConditionalGeneration", BESIDE, "text2text-generation-with-past"),
]


@pytest.mark.parametrize(("name", "values", "task"), FORMS, ids=lambda v: v if isinstance(v, str) else "")
def test_a_cache_of_a_fixed_length_means_the_same(name, values, task):
    cls = getattr(transformers, name)
    model = cls(cls.config_class(**values)).eval()
    grows, fixed = (dummyio.describe(model, task=task, cache=form).generate("pt") for form in ("dynamic", "static"))
    fixed = {**grows, "past_key_values": fixed["past_key_values"]}
    beside = [cache for cache in (grows, fixed) if hasattr(cache["past_key_values"], "cross_attention_cache")]
    own, room = (
        getattr(made["past_key_values"], "self_attention_cache", made["past_key_values"]) for made in (grows, fixed)
    )
    assert [type(cache).__name__ for cache in (own, room)] == ["DynamicCache", "StaticCache"]
    assert len(beside) in (0, 2)
    length = own.layers[0].keys.shape[-2]
    assert room.get_seq_length() == length < room.get_max_length() == room.layers[0].keys.shape[-2]
    for grown, held in zip(own.layers, room.layers, strict=True):
        held.keys[..., :length, :], held.values[..., :length, :] = grown.keys, grown.values
    for made in beside[1:]:
        made["past_key_values"].cross_attention_cache = beside[0]["past_key_values"].cross_attention_cache
    with torch.no_grad():
        torch.testing.assert_close(model(**fixed).logits, model(**grows).logits)


def test_a_fixed_length_bounds_what_goes_in():
    config = {**TEXT, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}

    def described(**sizes):
        return dummyio.describe(config, task="text-generation-with-past", cache="static", **sizes)

    spec = described(max_cache_length=12, sequence_length=3)
    key = dict(spec.leaves)["past_key_values.1.key"]
    assert ", ".join(map(str, key.shape)) == "batch_size, 4, max_cache_length, 8"
    assert (spec.dims["sequence_length"].max, spec.dims["past_sequence_length"].max) == (6, 6)
    assert spec.dims["max_cache_length"].min == 12
    filled = spec.feeds(past_sequence_length=5)["past_key_values.0.length"]
    assert (filled.shape, filled.tolist(), str(filled.dtype)) == ((1,), [5], "int64")
    assert described(sequence_length=40, past_sequence_length=9).dims["max_cache_length"].size == 49
    with pytest.raises(dummyio.DummyioError, match="at most"):
        described(max_cache_length=12, sequence_length=13)


class Plain(torch.nn.Module):
    """A module of one's own that takes pairs."""

    def forward(self, input_ids, past_key_values):
        keys = [key for key, value in past_key_values if key.shape == value.shape]
        return sum(key.sum() for key in keys) + input_ids.sum()


def test_a_legacy_past_is_pairs_of_the_same_names():
    config = {**TEXT, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    specs = [dummyio.describe(config, task="text-generation-with-past", cache=form) for form in ("dynamic", "legacy")]
    feeds = [spec.feeds() for spec in specs]
    assert list(feeds[0]) == list(feeds[1])
    assert all((feeds[0][path] == feeds[1][path]).all() for path in feeds[0])
    made = specs[1].generate("pt")
    assert type(made["past_key_values"]) is tuple
    assert [tuple(key.shape for key in layer) for layer in made["past_key_values"]] == [((2, 4, 8, 8),) * 2] * 2
    assert torch.isfinite(Plain()(made["input_ids"], made["past_key_values"]))
    # What a model of today's Transformers makes of such pairs is what it gets in the usual form.
    from transformers import DynamicCache

    cls = transformers.LlamaForCausalLM
    model = cls(cls.config_class(**TEXT)).eval()
    with torch.no_grad():
        past = DynamicCache(ddp_cache_data=made.pop("past_key_values"))
        torch.testing.assert_close(model(**made, past_key_values=past).logits, model(**specs[0].generate("pt")).logits)


def test_a_form_that_is_none_is_an_error():
    config = {**TEXT, "model_type": "llama", "architectures": ["LlamaForCausalLM"]}
    with pytest.raises(dummyio.errors.OptionError, match=r"one of dynamic, static, legacy\. Did you mean 'static'"):
        dummyio.describe(config, task="text-generation-with-past", cache="statc")


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
    assert caches_latent_attention(text) is latent


INDEXER = """
class Indexer(nn.Module):
    def __init__(self, config):
        self.head_dim = config.index_head_dim

    def forward(self, k):
        k = torch.cat([k, k], dim=-1).squeeze(2)
        k = past_key_values.update_indexer(k, self.layer_idx)
"""


def test_an_indexer_keeps_one_head():
    assert caches_indexer_keys("past_key_values.update(k, v, 0)") is False
    assert caches_indexer_keys(INDEXER) is True


@pytest.mark.parametrize(
    ("old", "new"), [(".squeeze(2)", ""), ("index_head_dim", "other_dim"), ("indexer(k,", "indexer(packed,")]
)
def test_an_indexer_of_another_form_is_refused(old, new):
    found = caches_indexer_keys(INDEXER.replace(old, new))
    assert found is None
    generator = DummyPastKeyValuesGenerator("text-generation-with-past", TEXT)
    generator.context = replace(generator.context, facts=ModelFacts(caches_indexer_keys=found))
    with pytest.raises(SourceError, match="in a form that its source text does not state"):
        generator.spec("past_key_values")


@pytest.mark.parametrize(
    ("model_type", "message"),
    [("rwkv", "takes no past_key_values"), ("minimax", "state that is not keys and values"), ("bert", None)],
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
