"""Sound: layouts and lengths by what configurations say."""

import numpy as np
import pytest

from dummyio.errors import SourceError
from dummyio.generators.registry import (
    DummyAudioCodesInputGenerator,
    DummyAudioInputGenerator,
    DummySpectrogramInputGenerator,
    DummySpeechSynthesisInputGenerator,
    DummyTextInputGenerator,
    build_context,
    generator_for,
)
from dummyio.model_config.normalized_config import NormalizedConfig


def features(config, **sizes):
    return DummyAudioInputGenerator("automatic-speech-recognition", config, **sizes).spec("input_features")


def named(*names, config=()):
    return build_context("x", NormalizedConfig(dict(config)), {}, names=frozenset(names))


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({}, (2, 80, 3000)),
        ({"feature_size": 20}, (2, 20, 3000)),
        ({"num_mel_bins": 20, "max_source_positions": 50}, (2, 20, 100)),
        ({"audio_config": {"num_mel_bins": 20, "max_source_positions": 50}}, (2, 20, 100)),
        ({"input_feat_per_channel": 20, "max_source_positions": 6000}, (2, 3000, 20)),
        ({"feature_projection_input_dim": 20}, (2, 3000, 20)),
        ({"encoder_config": {"num_mel_bins": 20, "subsampling_factor": 8}}, (2, 3000, 20)),
        ({"num_mel_bins": 16, "spec_size": 64}, (2, 1, 256, 16)),
        ({"num_mel_bins": 20, "num_stacked_frames": 7, "max_position_embeddings": 100}, (2, 140, 99)),
        ({"subsampling_conv_channels": [16, 4]}, (2, 16, 3000)),
    ],
)
def test_features(config, shape):
    assert features(config).sizes() == shape


def test_frames_are_fixed_where_the_encoder_has_a_position_for_each():
    assert features({"num_mel_bins": 20, "max_source_positions": 50}).shape[2].fixed
    assert not features({"num_mel_bins": 20}).shape[2].fixed
    assert features({"input_feat_per_channel": 20}, nb_max_frames=7).sizes() == (2, 7, 20)


@pytest.mark.parametrize(
    ("config", "shape"),
    [
        ({}, (2, 16000)),
        ({"codebook_size": 64, "audio_channels": 2}, (2, 2, 16000)),
        ({"codebook_size": 64}, (2, 1, 16000)),
        ({"audio_channels": 1}, (2, 1, 16000)),
        ({"codebook_size": 64, "vocab_size": 10}, (2, 16000)),
    ],
)
def test_waves(config, shape):
    assert DummyAudioInputGenerator("x", config).spec("input_values").sizes() == shape


@pytest.mark.parametrize(
    ("config", "least"),
    [
        ({}, 400),
        ({"conv_kernel": [10, 3, 3, 3, 3, 2, 2], "conv_stride": [5, 2, 2, 2, 2, 2, 2]}, 400),
        ({"conv_kernel": [10, 8], "conv_stride": [5, 4]}, 45),
    ],
)
def test_a_wave_is_long_enough_for_the_convolutions(config, least):
    generator = DummyAudioInputGenerator("x", config, batch_size=64, audio_sequence_length=2000)
    assert generator.spec("input_values").shape[1].min == least
    lengths = generator.generate("attention_mask", "np").sum(-1)
    assert lengths.min() >= least
    assert lengths.max() == 2000
    assert len(set(lengths)) > 32


def test_the_caller_can_ask_for_less():
    generator = DummyAudioInputGenerator("x", {}, audio_sequence_length=10)
    assert generator.spec("input_values").sizes() == (2, 10)
    assert generator.generate("attention_mask", "np").all()


@pytest.mark.parametrize(
    ("names", "shape"),
    [
        ({"input_values"}, (2, 16000)),
        ({"input_features"}, (2, 3000)),
        ({"input_features", "decoder_input_ids"}, (2, 3000)),
    ],
)
def test_a_mask_is_the_sounds_where_there_is_no_text(names, shape):
    found = generator_for("attention_mask", named("attention_mask", *names))
    assert type(found) is DummyAudioInputGenerator
    assert found.spec("attention_mask").sizes() == shape


def test_a_mask_is_the_texts_where_there_is_one():
    found = generator_for("attention_mask", named("attention_mask", "input_features", "input_ids"))
    assert type(found) is DummyTextInputGenerator
    both = named("attention_mask", "input_features", "input_ids")
    assert type(generator_for("input_features", both)) is DummyAudioInputGenerator


def test_masks_under_other_names():
    generator = DummyAudioInputGenerator("x", {"num_mel_bins": 20})
    assert generator.spec("padding_mask").sizes() == (2, 16000)
    assert generator.spec("input_features_mask").sizes() == (2, 3000)


def test_a_spectrogram_cut_into_patches_is_no_wave():
    config = {"max_length": 100, "num_mel_bins": 20, "patch_size": 16}
    found = generator_for("input_values", named("input_values", config=config))
    assert type(found) is DummySpectrogramInputGenerator
    assert found.spec("input_values").sizes() == (2, 100, 20)
    # Old configurations have the length of generated texts under the same name.
    plain = named("input_values", config={"max_length": 20, "num_mel_bins": 80})
    assert generator_for("input_values", plain).spec("input_values").sizes() == (2, 16000)


def test_speech_is_made_for_a_batch():
    config = {"num_mel_bins": 20, "speaker_embedding_dim": 9}
    generator = DummySpeechSynthesisInputGenerator("text-to-audio", config, batch_size=5)
    assert generator.spec("output_sequence").sizes() == (5, 16, 20)
    assert generator.spec("speaker_embeddings").sizes() == (5, 9)
    assert generator.spec("spectrogram").sizes() == (20, 20)
    with pytest.raises(SourceError, match="speaker_embedding_dim"):
        DummySpeechSynthesisInputGenerator("text-to-audio", {}).spec("speaker_embeddings")


@pytest.mark.parametrize(
    ("config", "shape", "high"),
    [
        ({"num_codebooks": 4, "codebook_size": 32}, (2, 4, 16), 32),
        ({"num_quantizers": 4, "codebook_size": 32}, (2, 4, 16), 32),
        ({"audio_encoder": {"codebook_size": 32}, "decoder": {"num_codebooks": 4}}, (1, 2, 4, 16), 32),
        ({"decoder": {"num_codebooks": 4, "vocab_size": 32}}, (1, 2, 4, 16), 32),
        ({"num_codebooks": 4, "codebook_size": 32, "target_bandwidths": [1.5]}, (1, 2, 4, 16), 32),
    ],
)
def test_codes(config, shape, high):
    codes = DummyAudioCodesInputGenerator("x", config).generate("audio_codes", "np")
    assert codes.shape == shape
    assert codes.min() >= 0
    assert codes.max() == high - 1
    assert np.issubdtype(codes.dtype, np.integer)


def test_a_wave_is_cut_into_patches_of_patches():
    wave = DummyAudioInputGenerator("x", {"patch_sizes": [16, 6, 5, 4]}).spec("input_values").shape[1]
    assert (wave.multiple_of, wave.size) == (1920, 15360)


def test_mel_features_under_another_name_and_what_is_padding():
    generator = DummyAudioInputGenerator("x", {"input_feat_size": 20})
    assert generator.spec("audio_mel").sizes() == (2, 3000, 20)
    assert not generator.generate("audio_mel_mask", "np").any()
