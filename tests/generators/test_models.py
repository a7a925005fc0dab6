"""What generators describe runs in Transformers' own models."""

import pytest
import tiny_configs

from dummyio.generators.registry import OPTIONS, build_context, generator_for
from dummyio.input_spec import InputSpec
from dummyio.model_config.normalized_config import NormalizedConfig

torch = pytest.importorskip("torch")
transformers = pytest.importorskip("transformers")

TEXT = tiny_configs.TEXT
PAIR = {**tiny_configs.PAIR, **tiny_configs.IDS, "encoder_layers": 2, "decoder_layers": 3}
T5 = {"vocab_size": 99, "d_model": 32, "d_kv": 6, "num_layers": 2, "num_decoder_layers": 3, "num_heads": 4, "d_ff": 37}
LOW_RANK = {**TEXT, **tiny_configs.LOW_RANK, "num_key_value_heads": 4}
PAST = "input_ids attention_mask position_ids past_key_values"
BESIDE = "attention_mask decoder_input_ids encoder_outputs past_key_values"
CASES = [
    ("LlamaForCausalLM", {**TEXT, "num_key_value_heads": 2}, "text-generation-with-past", PAST, {}),
    ("LlamaForCausalLM", {**TEXT, "head_dim": 6}, "text-generation-with-past", PAST, {"past_sequence_length": 0}),
    (
        "MistralForCausalLM",
        {**TEXT, "num_key_value_heads": 2, "sliding_window": 6},
        "text-generation-with-past",
        PAST,
        {},
    ),
    (
        "GPT2LMHeadModel",
        {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4},
        "text-generation-with-past",
        PAST,
        {},
    ),
    (
        "GPTBigCodeForCausalLM",
        {"vocab_size": 99, "n_embd": 32, "n_layer": 2, "n_head": 4},
        "text-generation-with-past",
        PAST,
        {},
    ),
    ("FalconForCausalLM", TEXT, "text-generation-with-past", PAST, {}),
    ("DeepseekV3ForCausalLM", LOW_RANK, "text-generation-with-past", PAST, {"latent": True}),
    ("BartForConditionalGeneration", PAIR, "text2text-generation-with-past", BESIDE, {"encoder_sequence_length": 5}),
    ("BartForSequenceClassification", PAIR, "text-classification", "input_ids attention_mask", {}),
    (
        "BartForCausalLM",
        {**PAIR, "is_decoder": True},
        "text-generation-with-past",
        "input_ids attention_mask past_key_values",
        {},
    ),
    ("T5ForConditionalGeneration", T5, "text2text-generation-with-past", BESIDE, {"past_decoder_sequence_length": 3}),
    (
        "T5ForConditionalGeneration",
        T5,
        "text2text-generation",
        "input_ids decoder_input_ids decoder_attention_mask",
        {},
    ),
    ("T5ForConditionalGeneration", T5, "text2text-generation", "attention_mask decoder_input_ids encoder_outputs", {}),
    (
        "WhisperForConditionalGeneration",
        {**PAIR, "num_mel_bins": 20, "max_source_positions": 30, "max_target_positions": 40},
        "automatic-speech-recognition",
        "input_features decoder_input_ids",
        {},
    ),
    (
        "Wav2Vec2ForCTC",
        {
            **TEXT,
            "conv_dim": [16, 16],
            "conv_kernel": [10, 8],
            "conv_stride": [5, 4],
            "num_conv_pos_embedding_groups": 2,
        },
        "automatic-speech-recognition",
        "input_values attention_mask",
        {"audio_sequence_length": 400},
    ),
    (
        "Speech2TextForConditionalGeneration",
        {**PAIR, "input_feat_per_channel": 12, "conv_channels": 16},
        "automatic-speech-recognition",
        "input_features attention_mask decoder_input_ids",
        {"nb_max_frames": 60},
    ),
    ("ASTModel", {**TEXT, "max_length": 100, "num_mel_bins": 20}, "audio-classification", "input_values", {}),
    ("ViTModel", {**TEXT, "image_size": 30, "patch_size": 2}, "image-classification", "pixel_values", {}),
    (
        "ConvNextModel",
        {"hidden_sizes": [8] * 4, "depths": [1] * 4},
        "image-classification",
        "pixel_values",
        {"width": 96},
    ),
    (
        "VivitModel",
        {**TEXT, "image_size": 16, "num_frames": 4, "tubelet_size": [2, 8, 8]},
        "video-classification",
        "pixel_values",
        {},
    ),
    (
        "LayoutLMModel",
        {**TEXT, "max_2d_position_embeddings": 32},
        "token-classification",
        "input_ids bbox token_type_ids",
        {},
    ),
    ("MarkupLMModel", {**TEXT, "max_depth": 5}, "token-classification", "input_ids xpath_tags_seq xpath_subs_seq", {}),
    (
        "LongformerModel",
        {**TEXT, "attention_window": 4},
        "feature-extraction",
        "input_ids attention_mask global_attention_mask",
        {},
    ),
    (
        "DecisionTransformerModel",
        {"state_dim": 5, "act_dim": 3, "hidden_size": 32, "n_layer": 2, "n_head": 4, "max_ep_len": 20},
        "reinforcement-learning",
        "states actions rewards returns_to_go timesteps attention_mask",
        {},
    ),
    (
        "TimeSeriesTransformerModel",
        {
            "prediction_length": 6,
            "context_length": 8,
            "lags_sequence": [1, 2, 5],
            "num_time_features": 3,
            "num_static_categorical_features": 1,
            "cardinality": [7],
            "embedding_dimension": [4],
            "encoder_layers": 1,
            "decoder_layers": 1,
            "d_model": 16,
        },
        "time-series-forecasting",
        "past_values past_time_features past_observed_mask static_categorical_features future_values future_time_features",
        {},
    ),
    (
        "BertForQuestionAnswering",
        TEXT,
        "question-answering",
        "input_ids attention_mask start_positions end_positions",
        {},
    ),
    ("BertForMaskedLM", TEXT, "fill-mask", "input_ids attention_mask labels", {}),
]


@pytest.mark.filterwarnings("default")  # the models' own warnings are not what is tested
@pytest.mark.parametrize(
    ("name", "config", "task", "names", "keywords"),
    CASES,
    ids=[f"{case[0]}-{case[2]}-{len(case[3])}" for case in CASES],
)
def test_a_real_model_takes_them(name, config, task, names, keywords):
    cls = getattr(transformers, name)
    torch.manual_seed(0)
    model = cls(cls.config_class(**config)).eval()
    inputs = names.split()
    context = build_context(
        task,
        NormalizedConfig(model.config),
        keywords,
        OPTIONS,
        names=frozenset(inputs),
        encoder_decoder="decoder_input_ids" in inputs or name == "BartForSequenceClassification",
    )
    spec = InputSpec({each: generator_for(each, context).spec(each) for each in inputs}, task=task)
    with torch.no_grad():
        outputs = model(**spec.generate("pt"))
    assert torch.isfinite(outputs[0]).all()
