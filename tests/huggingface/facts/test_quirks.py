"""Quirks: the file is sound, and each entry is still needed: without it a description is wrong."""

import gzip
import json
from pathlib import Path

import pytest

import dummyio
from dummyio.errors import SourceError
from dummyio.huggingface import describe as reader
from dummyio.huggingface.facts.quirks import Corrections, Quirk, collect_quirks, read_quirks
from dummyio.model_config.normalized_config import NormalizedConfig

ENTRIES = read_quirks()
CASES = Path(__file__).parents[2] / "data" / "hf_cases.jsonl.gz"

BYTES = {
    "vocab_size": 99,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "num_key_value_heads": 2,
    "intermediate_size": 16,
    "max_position_embeddings": 64,
}
SMALL = {
    "blt": (
        "BltForCausalLM",
        "text-generation-with-past",
        {
            **BYTES,
            "patch_in_forward": False,
            "patch_size": 4,
            "max_patch_length": 8,
            "cross_attn_k": 2,
            "encoder_hash_byte_group_size": [2, 3],
            "encoder_hash_byte_group_vocab": 64,
            "patcher_config": BYTES,
            "encoder_config": BYTES | {"cross_attn_k": 2, "hidden_size_global": 32},
            "decoder_config": BYTES | {"cross_attn_k": 2, "hidden_size_global": 32},
            "global_config": BYTES | {"hidden_size": 32},
        },
    ),
    "cpmant": (
        "CpmAntForCausalLM",
        "text-generation-with-past",
        {
            "vocab_size": 99,
            "hidden_size": 32,
            "num_attention_heads": 4,
            "dim_head": 8,
            "dim_ff": 32,
            "num_hidden_layers": 1,
            "prompt_length": 4,
            "prompt_types": 4,
            "segment_types": 4,
        },
    ),
    "longcat_flash": (
        "LongcatFlashForCausalLM",
        "text-generation-with-past",
        {
            "vocab_size": 99,
            "hidden_size": 32,
            "ffn_hidden_size": 32,
            "expert_ffn_hidden_size": 16,
            "num_layers": 1,
            "num_attention_heads": 4,
            "num_key_value_heads": 4,
            "kv_lora_rank": 8,
            "q_lora_rank": 8,
            "qk_rope_head_dim": 4,
            "head_dim": 4,
            "qk_nope_head_dim": 4,
            "v_head_dim": 4,
            "moe_topk": 2,
            "n_routed_experts": 4,
            "zero_expert_num": 2,
            "max_position_embeddings": 64,
        },
    ),
    "mimo_v2_flash": (
        "MiMoV2FlashForCausalLM",
        "text-generation-with-past",
        {
            "vocab_size": 99,
            "hidden_size": 32,
            "intermediate_size": 32,
            "moe_intermediate_size": 16,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "head_dim": 8,
            "v_head_dim": 16,
            "n_routed_experts": 4,
            "num_experts_per_tok": 2,
            "n_group": 1,
            "topk_group": 1,
            "sliding_window": 64,
            "layer_types": ["full_attention", "sliding_attention"],
            "mlp_layer_types": ["dense", "sparse"],
            "max_position_embeddings": 64,
        },
    ),
    "prophetnet": (
        "ProphetNetForConditionalGeneration",
        "text2text-generation-with-past",
        {
            "vocab_size": 99,
            "hidden_size": 16,
            "encoder_ffn_dim": 16,
            "decoder_ffn_dim": 16,
            "num_encoder_layers": 1,
            "num_decoder_layers": 2,
            "num_encoder_attention_heads": 2,
            "num_decoder_attention_heads": 2,
            "max_position_embeddings": 64,
            "pad_token_id": 0,
        },
    ),
}
"""Model type of an entry → a class, a task and a tiny configuration that show what it is for."""


def test_the_file_is_short_and_says_why():
    assert len(ENTRIES) <= 30
    for quirk in ENTRIES:
        assert quirk.reason.endswith(".")
        assert quirk.source
        assert any(
            getattr(quirk, field) for field in ("attributes", "options", "bounds", "add", "drop", "media", "refuse")
        )


def test_every_entry_is_about_a_model_type_that_there_is():
    pytest.importorskip("transformers")
    from dummyio.huggingface.source.auto_tables import configuration_class

    assert [quirk.model_type for quirk in ENTRIES if configuration_class(quirk.model_type) is None] == []


def test_every_entry_has_a_model_that_shows_it():
    assert {quirk.model_type for quirk in ENTRIES if quirk.attributes or quirk.refuse or quirk.with_past} <= set(SMALL)


@pytest.mark.parametrize(
    "quirk",
    [quirk for quirk in ENTRIES if quirk.media or quirk.model_type == "tvp"],
    ids=lambda quirk: quirk.model_type,
)
def test_an_entry_about_media_changes_what_is_described(quirk, monkeypatch):
    pytest.importorskip("transformers")
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if quirk.model_type not in CONFIG_MAPPING:
        pytest.skip("not in this release")
    with gzip.open(CASES, "rt", encoding="utf-8") as lines:
        cases = [case for case in map(json.loads, lines) if case["config"].get("model_type") == quirk.model_type]
    values = [case["config"] | {"architectures": [case["class"]]} for case in cases]
    kind = CONFIG_MAPPING[quirk.model_type]
    # By default some have no part for images.
    empty = {"vision_config": {}} if getattr(kind(), "vision_config", {}) is None else {}
    values.append(kind(**empty).to_dict())

    def tell():
        return [dummyio.describe(each).shapes() for each in values]

    found = tell()
    monkeypatch.setattr(reader, "collect_quirks", lambda *_, **__: Corrections())
    assert tell() != found


@pytest.mark.parametrize("model_type", SMALL)
def test_each_is_still_needed(model_type, monkeypatch):
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    name, task, values = SMALL[model_type]
    cls = getattr(transformers, name, None)
    if cls is None:
        pytest.skip("not in this release")
    model = cls(cls.config_class(**values)).eval()

    def run():
        spec = dummyio.describe(model, task=task)
        with torch.no_grad():
            made = spec.generate("pt")
            logits = model(**made).logits
        assert logits.shape[:2] == made.get("decoder_input_ids", made.get("input_ids")).shape
        return spec

    refusing = next((quirk for quirk in ENTRIES if quirk.model_type == model_type and quirk.refuse), None)
    if refusing is None:
        assert run().provenance["quirks"]
    else:
        with pytest.raises(SourceError) as refused:
            run()
        assert refusing.reason in str(refused.value)
        monkeypatch.setattr(reader, "collect_quirks", lambda *_, **__: Corrections())
        # Without its past the model is built and run as described: what is refused is the past alone.
        task, kept = task.removesuffix("-with-past"), task
        run()
        task = kept
    monkeypatch.setattr(reader, "collect_quirks", lambda *_, **__: Corrections())
    # Which error it is depends on the framework and on the layer that notices first.
    with pytest.raises(Exception):  # noqa: B017
        run()


def quirk(**fields):
    return Quirk(model_type="some", reason="So.", source="there", **fields)


@pytest.mark.parametrize(
    ("fields", "name", "with_past", "holds"),
    [
        ({}, "SomeModel", False, True),
        ({}, None, True, True),
        ({"classes": ("ForThis",)}, "SomeForThis", False, True),
        ({"classes": ("ForThis",)}, "SomeForThat", False, False),
        ({"with_past": True}, "SomeModel", False, False),
        ({"with_past": True}, "SomeModel", True, True),
        ({"with_past": False}, "SomeModel", True, False),
    ],
)
def test_what_an_entry_is_about(fields, name, with_past, holds):
    assert quirk(**fields).holds("some", name, with_past=with_past) is holds
    assert quirk(**fields).holds("other", name, with_past=with_past) is False


def test_what_entries_come_to(monkeypatch):
    entries = (
        quirk(attributes={"depth": "= 2 * width + 1", "kind": "round", "width": 9}),
        quirk(options={"padding_side": "left"}, bounds={"batch_size": {"max": 1}}, add=("b",), drop=("c",)),
    )
    monkeypatch.setattr("dummyio.huggingface.facts.quirks.read_quirks", lambda: entries)
    found = collect_quirks(NormalizedConfig({"model_type": "some", "width": 3}), None, with_past=False)
    assert found.attributes == {"depth": 7, "kind": "round"}  # what a configuration says itself stands
    assert found.options == {"padding_side": "left"}
    assert found.chosen(["a", "c"], ["b", "c", "a"]) == ["b", "a"]
    assert found.provenance == {"quirks": "So. So."}


def test_an_entry_bounds_sizes_and_the_caller_is_told(monkeypatch):
    pytest.importorskip("transformers")
    entry = Quirk("bert", "One at a time.", "here", bounds={"batch_size": {"max": 1}}, options={"padding_side": "left"})
    monkeypatch.setattr("dummyio.huggingface.facts.quirks.read_quirks", lambda: (entry,))
    spec = dummyio.describe({"model_type": "bert"})
    assert (spec.dims["batch_size"].size, spec.dims["batch_size"].max) == (1, 1)
    assert spec["attention_mask"].values.side == "left"
    assert dummyio.describe({"model_type": "bert"}, padding_side="right")["attention_mask"].values.side == "right"
    with pytest.raises(dummyio.DummyioError, match="at most 1"):
        dummyio.describe({"model_type": "bert"}, batch_size=2)


def test_arithmetic_over_what_is_missing_is_an_error(monkeypatch):
    monkeypatch.setattr("dummyio.huggingface.facts.quirks.read_quirks", lambda: (quirk(attributes={"a": "= b + 1"}),))
    with pytest.raises(SourceError, match="'b'"):
        collect_quirks(NormalizedConfig({"model_type": "some"}), None, with_past=False)
