"""Shapes that docstrings state: the words are the author's, and what is no shape is none."""

import pytest

from dummyio.sources.documented_shapes import find_documented_shape, is_length_word

TEXT = """Forward pass.

    Args:
        hidden_states (`torch.Tensor` of shape `(batch_size, num_tokens, in_channels * prod(patch_size))`):
            Rows of a video.
        latents: Base latents [B, C, T, H, W]
        position_ids: ``[3, sequence_length]`` places.
        encoder_hidden_states: Tuple of (text, image) or text.
        timestep (`torch.Tensor` of shape `(num_timesteps,)`): values in `[0, 1]`.
        style ( `torch.LongTensor`, *optional*):
            What it looks like.
        mask (`torch.Tensor`): An attention mask of shape `(batch, key_tokens)`.
        attention_kwargs (`dict[str, Any]`, *optional*): more.
        sigma (`float`): a number in [0, 1].
"""


@pytest.mark.parametrize(
    ("argument", "words"),
    [
        ("hidden_states", ("batch_size", "num_tokens", "in_channels * prod(patch_size)")),
        ("latents", ("B", "C", "T", "H", "W")),
        ("position_ids", ("3", "sequence_length")),
        ("timestep", ("num_timesteps",)),
        ("mask", ("batch", "key_tokens")),
        ("encoder_hidden_states", None),
        ("style", None),
        ("attention_kwargs", None),
        ("sigma", None),
        ("unknown", None),
    ],
)
def test_words(argument, words):
    assert find_documented_shape(TEXT, argument) == words


def test_lengths():
    assert all(map(is_length_word, ("num_audio_tokens", "seq_len", "sequence_length", "num_samples", "rows-1")))
    assert not any(map(is_length_word, ("hidden_size", "channels", "lengthwise")))
