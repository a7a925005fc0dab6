"""Moved out of dummyio/generators/base/dim_sizes.py."""

from __future__ import annotations

from collections.abc import Mapping

DEFAULT_DUMMY_SHAPES: Mapping[str, int] = {
    # Optimum's, with its values.
    "batch_size": 2,
    "sequence_length": 16,
    "num_choices": 4,
    "width": 64,
    "height": 64,
    "num_channels": 3,
    "point_batch_size": 3,
    "nb_points_per_image": 2,
    "visual_seq_length": 16,
    "feature_size": 80,
    "nb_max_frames": 3000,
    "audio_sequence_length": 16000,
    # More symbols. A past is as no other default, so that no two sizes of a cache are mixed up unseen.
    "past_sequence_length": 8,
    "past_decoder_sequence_length": 8,
    "max_cache_length": 32,
    "encoder_sequence_length": 16,
    "decoder_sequence_length": 16,
    "text_batch_size": 2,
    "num_frames": 8,
    "num_boxes": 3,
    "max_patches": 64,
    "latent_channels": 4,
    "latent_height": 64,
    "latent_width": 64,
    "spectrogram_length": 20,
    "context_length": 32,
    "prediction_length": 24,
}
