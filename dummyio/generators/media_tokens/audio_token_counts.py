"""The number of frames of an audio clip beside a text, and of the tokens that stand for it."""

from dummyio.generators.base.context import Context
from dummyio.model_config.normalized_config import NormalizedConfig

_USUAL = 128
"""Frames of a sound where nothing fixes how many there are: a second and a bit."""
_CODED = 16
"""The same where frames are codes, of which each takes a token."""


def frame_count(context: Context) -> int:
    """Return the frames of a sound: the caller's, what the encoder's positions or windows fix, or the usual."""
    audio = _audio(context)
    positions, window = audio.raw("max_source_positions"), audio.raw("n_window")
    if context.names is not None and "audio_input_ids" in context.names:
        return context.sizes.wanted("nb_max_frames") or _CODED
    fixed = 2 * positions if isinstance(positions, int) else 2 * window if isinstance(window, int) else _USUAL
    return context.sizes.wanted("nb_max_frames") or fixed


def audio_tokens(context: Context) -> int | None:
    """Return how many tokens stand for one sound whose frames all count; None if that is not known."""
    config, frames = context.config.unwrapped(), frame_count(context)
    if context.names is not None and "audio_input_ids" in context.names:
        return frames
    soft = config.raw("audio_soft_tokens_per_image")
    if isinstance(soft, int):
        return soft
    merged = config.raw("audio_merge_size")
    if isinstance(merged, int) and merged > 0:
        return -(-((frames - 1) // 2 + 1) // merged)
    found = _merged(context, frames) or _windowed(config, frames)
    if found:
        return found
    facts = context.facts.media
    computed = facts.audio_length(_audio(context), frames) if facts.audio_length else None
    return computed or (frames if facts.mask_selects_audio_features else None)


def _audio(context: Context) -> NormalizedConfig:
    return context.config.unwrapped().part("audio")


def _merged(context: Context, frames: int) -> int | None:
    """Return the number of features where neighbours are merged until they are as wide as the feed-forward layer."""
    audio, facts = _audio(context), context.facts.media
    wide, width = audio.get("intermediate_size") or audio.raw("encoder_ffn_dim"), audio.get("hidden_size")
    if not (facts.merges_audio_frames and isinstance(wide, int) and isinstance(width, int)):
        return None
    features = (frames - 1) // 2 + 1  # the second of two convolutions has stride 2
    return features // facts.audio_merge_factor if facts.audio_merge_factor else features * width // wide


def _windowed(config: NormalizedConfig, frames: int) -> int | None:
    """Return the number of queries where each window of frames becomes some."""
    window, rate = config.raw("window_size"), config.raw("downsample_rate")
    if not (isinstance(window, int) and isinstance(rate, int)):
        return None
    return -(-frames // window) * (window // rate)
