"""Default sizes of dims by their names: the one table of the generators and of all readers."""

from collections.abc import Mapping

DEFAULT_DUMMY_SHAPES: Mapping[str, int] = {
    # Optimum's names and values.
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
    # More dims. A past is as long as no other default, so that two sizes of a cache cannot be confused unnoticed.
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


def find_default_size(name: str) -> int | None:
    """Return the default size of a dim, or of the longest known name that its own ends with (``src_sequence_length``).

    Parameters
    ----------
    name
        The dim's name.

    Returns
    -------
    int or None
        None for a name of which the table has no part.
    """
    known = max((key for key in DEFAULT_DUMMY_SHAPES if f"_{name}".endswith(f"_{key}")), key=len, default=None)
    return None if known is None else DEFAULT_DUMMY_SHAPES[known]


def is_size_keyword(name: str) -> bool:
    """Return whether a keyword of `describe` is a size, or the range of one."""
    return name in DEFAULT_DUMMY_SHAPES or (name.startswith("random_") and name.endswith("_range"))
