"""Text: token ids, masks, type ids, positions."""

from __future__ import annotations

from typing import ClassVar

from dummyio.dims import Size
from dummyio.errors import SourceError
from dummyio.generators.base import DummyInputGenerator
from dummyio.tensor import TensorSpec
from dummyio.values import PaddingMask, Positions, TokenIds

__all__ = ["DummyDecoderTextInputGenerator", "DummyTextInputGenerator", "token_ids"]


class _Text(DummyInputGenerator):
    """What an encoder's and a decoder's text share."""

    @property
    def text(self) -> object:
        """The text model's configuration."""
        return self.config.part("text")

    def ids(self, name: str, shape: tuple[Size, ...], mask: str, *, first: int | None = None) -> TensorSpec:
        """Return token ids that follow `mask` where the spec has it."""
        rule = token_ids(self.config.part("text"), mask=mask if self.context.has(mask) else None, first=first)
        return self.ints(name, shape, rule)


def token_ids(config: object, *, mask: str | None, first: int | None = None, last: int | None = None) -> TokenIds:
    """Return the rule for ids of a configuration's vocabulary, without the ids it names for special purposes."""
    from dummyio.normalized import NormalizedConfig  # noqa: PLC0415 - for typing and normalizing only

    normal = NormalizedConfig.of(config)
    size = normal.integer("vocab_size")
    if size < 1:
        raise SourceError(f"the configuration has vocab_size={size}: a vocabulary has at least one token.")
    reserved = tuple(id_ for id_ in normal.token_ids() if id_ < size)
    if len(reserved) >= size:  # a vocabulary of special tokens only: then they are what there is
        reserved = ()
    pad = normal.get("pad_token_id")
    pad = pad if isinstance(pad, int) and 0 <= pad < size else 0
    return TokenIds(high=size, reserved=reserved, mask=mask, pad=pad, first=first, last=last)


class DummyTextInputGenerator(_Text):
    """An encoder's, or a lone decoder's, text."""

    SUPPORTED_INPUT_NAMES: ClassVar[tuple[str, ...]] = (
        "input_ids",
        "attention_mask",
        "encoder_attention_mask",
        "global_attention_mask",
        "token_type_ids",
        "position_ids",
    )

    @property
    def shape(self) -> tuple[Size, ...]:
        """[batch, sequence]; with a task of choices [batch, choices, sequence]."""
        if self.context.task == "multiple-choice":
            return (self.batch, self.dim("num_choices"), self.length)
        return (self.batch, self.length)

    @property
    def batch(self) -> Size:
        """The batch of texts; its own symbol where images have another."""
        return self.dim("text_batch_size" if self.context.dual else "batch_size")

    @property
    def length(self) -> Size:
        """The length of a text; an encoder's own symbol where there is a decoder."""
        return self.dim("encoder_sequence_length" if self.context.encoder_decoder else "sequence_length")

    def describe_input_ids(self) -> TensorSpec:
        """Ids of the vocabulary, pads where the mask says so."""
        return self.ids("input_ids", self.shape, "attention_mask")

    def describe_attention_mask(self) -> TensorSpec:
        """1 for tokens, 0 for padding; covers the past too, and then is padded on the left."""
        shape, side = self.shape, self.context.padding_side
        if self.context.with_past and not self.context.encoder_decoder:
            # New tokens follow the past, so pads can only lie before both.
            shape, side = (*shape[:-1], self.dim("past_sequence_length") + shape[-1]), "left"
        return self.ints("attention_mask", shape, PaddingMask(side, self.context.mask_policy))

    def describe_encoder_attention_mask(self) -> TensorSpec:
        """The mask of what a decoder attends to."""
        shape = (self.batch, self.dim("encoder_sequence_length"))
        return self.ints("encoder_attention_mask", shape, PaddingMask(self.context.padding_side, self.context.mask_policy))

    def describe_global_attention_mask(self) -> TensorSpec:
        """1 for the first token and some others, which attend to all; 0 for pads."""
        mask = "attention_mask" if self.context.has("attention_mask") else None
        return self.ints("global_attention_mask", self.shape, TokenIds(high=2, mask=mask, first=1))

    def describe_token_type_ids(self) -> TensorSpec:
        """Segment ids below ``type_vocab_size``, 0 for pads."""
        mask = "attention_mask" if self.context.has("attention_mask") else None
        types = self.config.part("text").integer("type_vocab_size", 2)
        return self.ints("token_type_ids", self.shape, TokenIds(high=max(types, 1), mask=mask))

    def describe_position_ids(self) -> TensorSpec:
        """Positions that follow the mask and the past."""
        if self.context.has("attention_mask"):
            return self.ints("position_ids", self.shape, Positions(mask="attention_mask"))
        start = "past_sequence_length" if self.context.with_past else 0
        if self.context.with_past:
            self.dim("past_sequence_length")
        return self.ints("position_ids", self.shape, Positions(start=start))


class DummyDecoderTextInputGenerator(_Text):
    """A decoder's text, beside an encoder."""

    SUPPORTED_INPUT_NAMES: ClassVar[tuple[str, ...]] = (
        "decoder_input_ids",
        "decoder_attention_mask",
        "decoder_position_ids",
    )

    @property
    def shape(self) -> tuple[Size, ...]:
        """[batch, decoder's sequence]."""
        return (self.dim("batch_size"), self.dim("decoder_sequence_length"))

    def describe_decoder_input_ids(self) -> TensorSpec:
        """Ids of the decoder's vocabulary; the first is the start token, where the decoder has no past."""
        config = self.config.part("decoder")
        start = self.config.get("decoder_start_token_id", config.get("decoder_start_token_id"))
        first = start if isinstance(start, int) and not self.context.with_past else None
        mask = "decoder_attention_mask" if self.context.has("decoder_attention_mask") else None
        vocabulary = config if config.has("vocab_size") else self.config.part("text")
        return self.ints("decoder_input_ids", self.shape, token_ids(vocabulary, mask=mask, first=first))

    def describe_decoder_attention_mask(self) -> TensorSpec:
        """The decoder's own padding mask; covers its past too, and then is padded on the left."""
        shape, side = self.shape, self.context.padding_side
        if self.context.with_past:
            shape, side = (shape[0], self.dim("past_decoder_sequence_length") + shape[1]), "left"
        return self.ints("decoder_attention_mask", shape, PaddingMask(side, self.context.mask_policy))

    def describe_decoder_position_ids(self) -> TensorSpec:
        """Positions that follow the decoder's mask and past."""
        if self.context.has("decoder_attention_mask"):
            return self.ints("decoder_position_ids", self.shape, Positions(mask="decoder_attention_mask"))
        return self.ints("decoder_position_ids", self.shape, Positions())
