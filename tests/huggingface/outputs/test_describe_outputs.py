"""What is said of outputs is what tiny models return: the names are there, and the shapes agree at two sizes."""

import pytest
import tiny_configs

import dummyio
from dummyio.spec.dims import evaluate_size, find_dims

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = {**tiny_configs.TEXT, "max_position_embeddings": 64}
PAIR = tiny_configs.PAIR
IMAGE = {**TEXT, "image_size": 32, "patch_size": 8}
SOUND = {
    **TEXT,
    "conv_dim": [16, 16],
    "conv_kernel": [10, 3],
    "conv_stride": [5, 2],
    "num_conv_pos_embeddings": 16,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 8,
}
DUAL = {"projection_dim": 24, "text_config": {**TEXT, "eos_token_id": 98}, "vision_config": {**IMAGE}}
TRANSLATION = {
    **{key: value for key, value in PAIR.items() if key != "vocab_size"},
    "src_vocab_size": 99,
    "tgt_vocab_size": 99,
    "langs": ["en", "ru"],
    "max_position_embeddings": 64,
}
REVERSIBLE = {
    "vocab_size": 99,
    "hidden_size": 32,
    "attention_head_size": 16,
    "num_attention_heads": 2,
    "attn_layers": ["local"],
    "local_attn_chunk_length": 4,
    "axial_pos_shape": [4, 8],
    "axial_pos_embds_dim": [16, 16],
    "feed_forward_size": 16,
    "max_position_embeddings": 32,
}
CODES = {
    "vocab_size": 99,
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "ffn_dim": 8,
    "num_codebooks": 4,
    "pad_token_id": 98,
    "bos_token_id": 98,
}
CASES = [
    # Scores, or two copies side by side, under the name of hidden states; several rows of codes for each row returned.
    ("FSMTModel", TRANSLATION, None, {"last_hidden_state", "encoder_last_hidden_state"}),
    ("ReformerModel", REVERSIBLE, None, {"last_hidden_state"}),
    ("MusicgenModel", CODES, None, {"last_hidden_state"}),
    ("OPTModel", {**TEXT, "ffn_dim": 37, "word_embed_proj_dim": 16}, None, {"last_hidden_state"}),
    ("BertModel", TEXT, None, {"last_hidden_state", "pooler_output"}),
    ("BertForMaskedLM", TEXT, None, {"logits"}),
    ("BertForSequenceClassification", {**TEXT, "num_labels": 3}, None, {"logits"}),
    ("BertForTokenClassification", {**TEXT, "num_labels": 5}, None, {"logits"}),
    ("BertForMultipleChoice", TEXT, None, {"logits"}),
    ("BertForQuestionAnswering", TEXT, None, {"start_logits", "end_logits"}),
    ("BertForPreTraining", TEXT, None, {"prediction_logits", "seq_relationship_logits"}),
    ("LlamaForCausalLM", {**TEXT, "num_key_value_heads": 2}, None, {"logits"}),
    ("LlamaForCausalLM", {**TEXT, "num_key_value_heads": 2}, "text-generation-with-past", {"logits", "present.0.key"}),
    (
        "MistralForCausalLM",
        {**TEXT, "num_key_value_heads": 2, "sliding_window": 6},
        "text-generation-with-past",
        {"logits", "present.0.key"},
    ),
    ("BartForConditionalGeneration", PAIR, None, {"logits", "encoder_last_hidden_state"}),
    ("BartForConditionalGeneration", PAIR, "text2text-generation-with-past", {"logits", "present.0.decoder.key"}),
    ("ViTModel", IMAGE, None, {"last_hidden_state"}),
    ("ViTForImageClassification", {**IMAGE, "num_labels": 4}, None, {"logits"}),
    ("ViTForMaskedImageModeling", {**IMAGE, "encoder_stride": 8}, None, {"reconstruction"}),
    ("Wav2Vec2ForCTC", SOUND, None, {"logits"}),
    ("Wav2Vec2ForSequenceClassification", SOUND, None, {"logits"}),
    ("CLIPModel", DUAL, None, {"logits_per_image", "logits_per_text", "text_embeds", "image_embeds"}),
]


def returned(output):
    """Name → shape; a cache by layer and part, as the spec names it."""
    shapes = {name: tuple(value.shape) for name, value in output.items() if torch.is_tensor(value)}
    past = output.get("past_key_values")
    own, prefix = (past, "") if not hasattr(past, "self_attention_cache") else (past.self_attention_cache, "decoder.")
    for i, layer in enumerate(getattr(own, "layers", ())):
        shapes |= {f"present.{i}.{prefix}{part}": tuple(getattr(layer, f"{part}s").shape) for part in ("key", "value")}
    return shapes


@pytest.mark.parametrize(("name", "values", "task", "expected"), CASES, ids=lambda v: v if isinstance(v, str) else "")
def test_outputs(name, values, task, expected):
    cls = getattr(transformers, name)
    model = cls(cls.config_class(**values)).eval()
    spec = dummyio.describe(model, task=task)
    assert expected <= {output.name for output in spec.outputs}
    inputs = {dim.name for _, leaf in spec.leaves for size in leaf.shape for dim in find_dims(size)}
    grown = {n: d.size + 1 for n, d in spec.dims.items() if n in inputs and (d.max is None or d.size < d.max)}
    for asked in ({}, grown):
        with torch.no_grad():
            shapes = returned(model(**spec.generate("pt", **asked)))
        sizes = spec.sizes(**asked)
        for output in spec.outputs:
            if output.shape is None:
                assert output.name in shapes
                continue
            assert len(shapes[output.name]) == len(output.shape), output
            for length, size in zip(shapes[output.name], output.shape, strict=True):
                own = {dim.name for dim in find_dims(size)} - inputs  # what only the architecture decides
                assert own or evaluate_size(size, sizes) == length, (output, shapes[output.name])


def test_outputs_of_a_configuration_are_those_of_the_model():
    cls = transformers.BertForMaskedLM
    config = cls.config_class(**TEXT)
    described = dummyio.describe({**config.to_dict(), "architectures": [cls.__name__]})
    assert described.outputs == dummyio.describe(cls(config)).outputs
    assert dummyio.InputSpec.from_json(described.to_json()).outputs == described.outputs


def test_the_size_of_hidden_states_stays_known_where_an_attribute_says_it():
    cls = transformers.OPTModel
    config = cls.config_class(**TEXT, ffn_dim=37, word_embed_proj_dim=16)
    (state,) = dummyio.describe({**config.to_dict(), "architectures": [cls.__name__]}).outputs
    assert state.shape[-1] == 16


def test_what_a_robot_does_next_is_no_text():
    config = {"model_type": "pi0", "architectures": ["PI0ForConditionalGeneration"]}
    assert {output.name: output.shape for output in dummyio.describe(config).outputs}["logits"] is None


def test_an_axis_that_strides_decide_has_a_symbol_of_its_own():
    cls = transformers.Wav2Vec2ForCTC
    (logits,) = dummyio.describe({**cls.config_class(**SOUND).to_dict(), "architectures": [cls.__name__]}).outputs
    assert [str(size) for size in logits.shape] == ["batch_size", "audio_frames", "99"]
