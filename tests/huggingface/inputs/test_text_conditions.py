"""Texts, masks and types are fed where the model needs them for the task, and what is fed runs."""

import pytest
import tiny_configs

import dummyio

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

PAIR = tiny_configs.PAIR | tiny_configs.IDS
TYPES = {**tiny_configs.TEXT, "type_vocab_size": 2}


def names(model, task):
    spec = dummyio.describe(model, task)
    with torch.no_grad():
        model(**spec.generate("pt"))
    return set(spec)


@pytest.mark.parametrize(("kind", "fed"), [("Bert", True), ("Roberta", False), ("RemBert", True)])
def test_types_follow_the_tokenizer(kind, fed):
    attributes = TYPES | ({"input_embedding_size": 32} if kind == "RemBert" else {})
    model = getattr(transformers, f"{kind}Model")(getattr(transformers, f"{kind}Config")(**attributes)).eval()
    assert ("token_type_ids" in names(model, "feature-extraction")) is fed
    assert "token_type_ids" in dummyio.describe(model)  # all data that the model takes


def test_types_without_a_number_of_types():
    """Embeddings of tokens that stand for types too: the tokenizer gives them, and no attribute counts them."""
    config = transformers.XLMConfig(vocab_size=99, emb_dim=32, n_layers=2, n_heads=4, pad_token_id=1)
    assert "token_type_ids" in names(transformers.XLMModel(config).eval(), "feature-extraction")
    decoder = transformers.GPT2Config(n_embd=32, n_layer=2, n_head=4)
    for kind in ("GPT2LMHeadModel", "GPT2ForSequenceClassification"):
        model = getattr(transformers, kind)(decoder).eval()
        assert "token_type_ids" not in names(
            model, "text-generation" if kind.endswith("LMHeadModel") else "text-classification"
        )
        assert "token_type_ids" in dummyio.describe(model, prove="off")  # all data that the model takes


def test_a_head_that_sorts_texts_takes_that_of_the_encoder_alone():
    model = transformers.BartForSequenceClassification(transformers.BartConfig(**PAIR)).eval()
    assert names(model, "text-classification") == {"input_ids", "attention_mask"}
    spec = dummyio.describe(model, "text-classification")
    assert spec.dims.keys() == {"batch_size", "sequence_length"}
    # The head looks for the end of each row, once in each.
    assert (spec.generate()["input_ids"] == PAIR["eos_token_id"]).sum(axis=1).tolist() == [1, 1]
    assert "decoder_input_ids" in dummyio.describe(model)
    whole = transformers.BartForConditionalGeneration(transformers.BartConfig(**PAIR)).eval()
    assert "decoder_input_ids" in names(whole, "text2text-generation")


def test_sounds_that_a_decoder_attends_to_have_a_mask():
    config = transformers.Speech2TextConfig(**PAIR, input_feat_per_channel=8)
    model = transformers.Speech2TextForConditionalGeneration(config).eval()
    assert names(model, "automatic-speech-recognition") == {"input_features", "attention_mask", "decoder_input_ids"}
    heard = transformers.WhisperConfig(**PAIR, num_mel_bins=8, max_source_positions=30)
    assert "attention_mask" not in dummyio.describe(heard, "automatic-speech-recognition")


def test_trajectories_have_a_mask_and_no_rewards():
    config = transformers.DecisionTransformerConfig(hidden_size=32, n_layer=2, n_head=4, state_dim=5, act_dim=3)
    model = transformers.DecisionTransformerModel(config).eval()
    fed = names(model, "reinforcement-learning")
    assert "attention_mask" in fed
    assert "rewards" not in fed  # an argument that nothing reads
    assert "rewards" in dummyio.describe(model)


def test_features_come_from_the_only_class_of_a_type():
    config = transformers.TrOCRConfig(
        vocab_size=99, d_model=32, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=37
    )
    assert dummyio.describe(config, "feature-extraction").provenance["model"] == "TrOCRForCausalLM"


def test_what_forward_reads_without_a_look_is_needed():
    """`input_features_mask.sum(-1)` in `forward` fails for the default of None."""
    config = transformers.AudioFlamingo3EncoderConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        intermediate_size=37,
        num_mel_bins=8,
        max_source_positions=30,
    )
    assert "input_features_mask" in dummyio.describe(config, "feature-extraction")
