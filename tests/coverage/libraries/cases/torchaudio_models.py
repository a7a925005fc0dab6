"""torchaudio: its models, small."""

from collections.abc import Callable

from declared_operators import repair_torchaudio
from score import Case

NOTE = repair_torchaudio()

import torch
from torchaudio import models

TITLE = "torchaudio"
PACKAGES = ("torchaudio", "torch")
_WAVES = "float[batch_size, audio_sequence_length|sequence_length]"
_CHANNELS = "float[batch_size, num_channels, audio_sequence_length|sequence_length]"
_FRAMES = "float[batch_size, *, *]"
_LENGTHS = "int[batch_size]"
_LAYERS = [(8, 10, 5), (8, 3, 2)]


def _encoder(extractor: str = "group_norm", classes: int | None = None) -> dict[str, object]:
    """Return the arguments of a small Wav2Vec2."""
    return {
        "extractor_mode": extractor,
        "extractor_conv_layer_config": _LAYERS,
        "extractor_conv_bias": False,
        "encoder_embed_dim": 16,
        "encoder_projection_dropout": 0.0,
        "encoder_pos_conv_kernel": 4,
        "encoder_pos_conv_groups": 2,
        "encoder_num_layers": 1,
        "encoder_num_heads": 2,
        "encoder_attention_dropout": 0.0,
        "encoder_ff_interm_features": 16,
        "encoder_ff_interm_dropout": 0.0,
        "encoder_dropout": 0.0,
        "encoder_layer_norm_first": extractor == "layer_norm",
        "encoder_layer_drop": 0.0,
        "aux_num_out": classes,
    }


def _wavlm() -> torch.nn.Module:
    arguments = _encoder()
    for name in ("encoder_pos_conv_kernel", "encoder_pos_conv_groups"):
        arguments[name] = 2
    return models.wavlm_model(**arguments, encoder_num_buckets=8, encoder_max_distance=16)


def _hubert() -> torch.nn.Module:
    arguments = _encoder() | {
        "mask_prob": 0.5,
        "mask_selection": "static",
        "mask_other": 0.0,
        "mask_length": 2,
        "no_mask_overlap": False,
        "mask_min_space": 1,
        "mask_channel_prob": 0.0,
        "mask_channel_selection": "static",
        "mask_channel_other": 0.0,
        "mask_channel_length": 2,
        "no_mask_channel_overlap": False,
        "mask_channel_min_space": 1,
        "skip_masked": False,
        "skip_nomask": False,
        "num_classes": 10,
        "final_dim": 8,
        "feature_grad_mult": None,
    }
    del arguments["aux_num_out"]
    return models.hubert_pretrain_model(**arguments)


def _tacotron(*, mask: bool) -> torch.nn.Module:
    return models.Tacotron2(
        mask_padding=mask,
        n_mels=8,
        n_symbol=20,
        symbol_embedding_dim=16,
        encoder_embedding_dim=16,
        decoder_rnn_dim=16,
        prenet_dim=8,
        attention_rnn_dim=16,
        attention_hidden_dim=8,
        postnet_embedding_dim=16,
    )


def _rnnt() -> torch.nn.Module:
    return models.emformer_rnnt_model(
        input_dim=8,
        encoding_dim=16,
        num_symbols=20,
        segment_length=4,
        right_context_length=4,
        time_reduction_input_dim=4,
        time_reduction_stride=4,
        transformer_num_heads=2,
        transformer_ffn_dim=16,
        transformer_num_layers=1,
        transformer_dropout=0.0,
        transformer_activation="gelu",
        transformer_left_context_length=4,
        transformer_max_memory_size=0,
        transformer_weight_init_scale_strategy="depthwise",
        transformer_tanh_on_mem=True,
        symbol_embedding_dim=8,
        num_lstm_layers=1,
        lstm_layer_norm=True,
        lstm_layer_norm_epsilon=1e-3,
        lstm_dropout=0.0,
    )


_MODELS: dict[str, tuple[Callable[[], torch.nn.Module], dict[str, str]]] = {
    "Conformer": (lambda: models.Conformer(8, 2, 16, 1, 3), {"input": _FRAMES, "lengths": _LENGTHS}),
    "ConvTasNet": (lambda: models.ConvTasNet(2, 16, 8, 3, 8, 16, 2, 1), {"input": _CHANNELS}),
    "DeepSpeech": (lambda: models.DeepSpeech(8, 16, 10), {"x": "float[batch_size, *, *, *]"}),
    "Emformer": (
        lambda: models.Emformer(8, 2, 16, 1, 4, right_context_length=2),
        {"input": _FRAMES, "lengths": _LENGTHS},
    ),
    "HDemucs": (lambda: models.HDemucs(["a", "b"], channels=8, nfft=1024, depth=4), {"input": _CHANNELS}),
    "HuBERTPretrainModel": (_hubert, {"waveforms": _WAVES, "labels": "int[batch_size, *]", "audio_lengths": _LENGTHS}),
    "RNNT": (
        _rnnt,
        {"sources": _FRAMES, "source_lengths": _LENGTHS, "targets": "int[batch_size, *]", "target_lengths": _LENGTHS},
    ),
    "SquimObjective": (lambda: models.squim_objective_model(16, 16, 8, 2, 8, 1, "LSTM", 10), {"x": _WAVES}),
    "SquimSubjective": (
        lambda: models.SquimSubjective(
            models.wav2vec2_model(**_encoder()), torch.nn.Linear(16, 8), models.squim.subjective.Predictor(16, 4)
        ),
        {"waveform": _WAVES, "reference": _WAVES},
    ),
    "Tacotron2": (
        lambda: _tacotron(mask=False),
        {
            "tokens": "int[batch_size, sequence_length]",
            "token_lengths": _LENGTHS,
            "mel_specgram": _FRAMES,
            "mel_specgram_lengths": _LENGTHS,
        },
    ),
    "Wav2Letter of waves": (lambda: models.Wav2Letter(10, "waveform"), {"x": _CHANNELS}),
    "Wav2Letter of mels": (lambda: models.Wav2Letter(10, "mfcc", 13), {"x": _CHANNELS}),
    "Wav2Vec2": (lambda: models.wav2vec2_model(**_encoder()), {"waveforms": _WAVES, "lengths": _LENGTHS}),
    "Wav2Vec2 with layer norm and classes": (
        lambda: models.wav2vec2_model(**_encoder("layer_norm", 12)),
        {"waveforms": _WAVES, "lengths": _LENGTHS},
    ),
    "WavLM": (_wavlm, {"waveforms": _WAVES, "lengths": _LENGTHS}),
    "WaveRNN": (
        lambda: models.WaveRNN([2, 2], 16, 4, 1, 16, 16, 5, 8, 8, 8),
        {"waveform": "float[batch_size, 1, *]", "specgram": "float[batch_size, 1, *, *]"},
    ),
}


def list_names() -> list[str]:
    """Return all models."""
    return list(_MODELS)


def build(name: str) -> Case:
    """Return a model with random weights."""
    torch.manual_seed(0)
    make, inputs = _MODELS[name]
    return Case(make().eval(), inputs)
