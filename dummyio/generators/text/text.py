"""Text: token ids, masks, type ids and positions."""

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from dummyio.errors import OptionError, SourceError
from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.media_tokens.placeholder_tokens import (
    count_reserved_tokens,
    placeholder_runs,
    placeholder_type_runs,
)
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import PaddingMask, Positions, Rule, Run, TokenIds, Uniform

_CODE_POINTS = 0xD800
"""The number of ids where a model hashes them: they are code points of characters, here those before the surrogates."""


def text_config(config: NormalizedConfig) -> NormalizedConfig:
    """Return the configuration whose vocabulary a text is of: the text's part, or an encoder's that has one of its own."""
    text = config.part("text")
    others = () if text.has("vocab_size") else (config.sub("encoder"), config.unwrapped())
    return next((other for other in others if other is not None and other.has("vocab_size")), text)


def token_ids(
    config: object,
    *,
    mask: str | None,
    first: int | None = None,
    last: int | None = None,
    outer: Sequence[NormalizedConfig] = (),
    attribute: str = "vocab_size",
    runs: tuple[Run, ...] = (),
) -> TokenIds:
    """Return the rule for ids of a configuration's vocabulary, without the ids it names for special purposes.

    `mask` is the path of the mask to follow, `first` and `last` are ids at the ends of every row, `runs` ids in fixed columns. Special tokens
    of the configurations around it (`outer`) are not drawn either. `attribute` has the size of the vocabulary.
    """
    normal = NormalizedConfig.of(config)
    hashed = normal.raw("num_hash_buckets") is not None and not normal.has(attribute)
    owners = (*outer, normal)
    size = _CODE_POINTS if hashed else normal.integer(attribute)
    if size < 1:
        raise SourceError(f"the configuration has {attribute}={size}: a vocabulary has at least one token.")
    kept_back = tuple(sorted({id_ for owner in owners for id_ in owner.token_ids() if id_ < size}))
    if len(kept_back) >= size:  # a vocabulary of special tokens only: then they are what there is
        kept_back = ()
    used = [id_ for id_ in (first, last, *(run.id for run in runs)) if id_ is not None]
    for id_ in () if hashed else used:
        for owner in owners:
            owner.check_in_vocabulary(id_, attribute, normal)
    pad = special_token(normal, "pad_token_id")
    pad = pad if pad is not None and pad < size else 0  # an id after the last one stands for no token
    return TokenIds(high=size, reserved=kept_back, mask=mask, pad=pad, first=first, last=last, runs=runs)


def special_token(config: NormalizedConfig, name: str) -> int | None:
    """Return a special token under a canonical name, the first where there are several; None for none, or -1."""
    return config.token_id(*config.names(name))


def text_length(context: Context) -> Size:
    """Return the length of a text, with room for its placeholders; an encoder's own symbol where there is a decoder."""
    name = "encoder_sequence_length" if context.encoder_decoder else "sequence_length"
    return context.sizes.dim(name, room=count_reserved_tokens(context))


def text_batch(context: Context) -> Size:
    """Return the batch of texts; its own symbol where images have another."""
    return context.sizes.dim("text_batch_size" if context.dual else "batch_size")


def ends_rows(context: Context, wanted: Any) -> bool:
    """Return whether every row of a text ends with one end of sequence: where that is asked for, or an encoder and a decoder classify."""
    if wanted not in (None, "eos", "any"):
        raise OptionError(f"last_token={wanted!r}: use 'eos' or 'any'.")
    return wanted == "eos" or (wanted is None and context.encoder_decoder and context.task == "text-classification")


class DummyTextInputGenerator(DummyInputGenerator):
    """An encoder's, or a lone decoder's, text.

    Option ``last_token="eos"`` ends every row with exactly one end-of-sequence token, which some heads look for; it is the
    default where an encoder and a decoder classify.
    """

    OPTIONS: ClassVar[tuple[str, ...]] = ("last_token",)

    @property
    def shape(self) -> tuple[Size, ...]:
        """[batch, sequence]; with a task of choices [batch, choices, sequence]."""
        batch, length = text_batch(self.context), text_length(self.context)
        return (batch, self.dim("num_choices"), length) if self.context.task == "multiple-choice" else (batch, length)

    @property
    def last(self) -> int | None:
        """The id that every row ends with, where it is asked for."""
        wanted = self.option("last_token")
        if not ends_rows(self.context, wanted):
            return None
        found = special_token(self.config.part("text"), "eos_token_id")
        if found is None and wanted == "eos":
            return int(self.config.part("text").require("eos_token_id"))
        return found

    def describe_input_ids(self) -> TensorSpec:
        """Ids of the vocabulary, pads where the mask says so."""
        rule = token_ids(
            text_config(self.config),
            mask=self.follow("attention_mask"),
            first=self.config.token_id("question_token_id"),  # what heads for questions look for
            last=self.last,
            outer=(self.config, self.config.unwrapped()),
            runs=placeholder_runs(self.context),
        )
        return self.ints("input_ids", self.shape, rule)

    def describe_attention_mask(self) -> TensorSpec:
        """1 for tokens, 0 for padding; covers the past too, and then is padded on the left."""
        shape, side = self.shape, self.context.padding_side
        # A past of states alone, under the name of such, has no positions to cover.
        states = self.context.names is not None and "cache_params" in self.context.names
        if self.context.with_past and not self.context.encoder_decoder and not states:
            # New tokens follow the past, so pads can only lie before both.
            shape, side = (*shape[:-1], self.dim("past_sequence_length") + shape[-1]), "left"
        least = max(count_reserved_tokens(self.context), 1)
        return self.ints("attention_mask", shape, PaddingMask(side, self.context.mask_policy, least))

    @property
    def encoded(self) -> tuple[Size, ...]:
        """[batch, encoder's sequence], which a decoder attends to."""
        return text_batch(self.context), self.dim("encoder_sequence_length")

    describe_encoder_attention_mask = StatedInput(
        "int", "encoded", lambda self: PaddingMask(self.context.padding_side, self.context.mask_policy)
    )
    # The first token and some others attend to all.
    describe_global_attention_mask = StatedInput(
        "int", "shape", lambda self: TokenIds(high=2, mask=self.follow("attention_mask"), first=1)
    )

    def describe_token_type_ids(self) -> TensorSpec:
        """Segment ids below ``type_vocab_size``, 0 for pads; beside images 0, or 1 on these where the model looks for it."""
        if count_reserved_tokens(self.context):
            numbers = {"image": 1} if self.context.facts.media.reads_image_type_ids else {}
            return self.ints("token_type_ids", self.shape, self.placeholder_types(**numbers))
        columns = self.config.raw("type_vocab_sizes")
        if isinstance(columns, Sequence) and columns:  # a column for each kind of type, all below the smallest number
            return self.ints("token_type_ids", (*self.shape, len(columns)), Uniform(0, max(min(columns), 1)))
        types = self.config.part("text").integer("type_vocab_size", 2)
        return self.ints("token_type_ids", self.shape, TokenIds(high=max(types, 1), mask=self.follow("attention_mask")))

    def placeholder_types(self, **numbers: int) -> Rule:
        """Return the numbers of the media whose placeholders stand at each position, 0 for text."""
        return TokenIds(high=1, runs=placeholder_type_runs(self.context, numbers))

    def describe_position_ids(self) -> TensorSpec:
        """Positions that follow the mask and the past."""
        return self.ints("position_ids", self.shape, _positions(self.context, "attention_mask", "past_sequence_length"))

    describe_mm_token_type_ids = StatedInput("int", "shape", partial(placeholder_types, image=1, video=2, audio=3))
    describe_moe_mm_token_type_ids = StatedInput("int", "shape", partial(placeholder_types, image=1, video=1, audio=1))
    describe_image_embeds_position_mask = StatedInput("int", "shape", partial(placeholder_types, image=1))


def _positions(context: Context, mask: str, past: str) -> Positions:
    """Return positions that follow the mask, if there is one, else the past."""
    if context.has(mask):
        return Positions(mask=mask)
    return Positions(start=str(context.sizes.dim(past))) if context.with_past else Positions()


class DummyDecoderTextInputGenerator(DummyInputGenerator):
    """A decoder's text, beside an encoder."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("last_token",)

    @property
    def shape(self) -> tuple[Size, ...]:
        """[batch, decoder's sequence]; as long as the encoder's where its ends are looked up in what the decoder returns."""
        if self.context.encoder_decoder and ends_rows(self.context, self.option("last_token")):
            return (self.dim("batch_size"), text_length(self.context))
        return (self.dim("batch_size"), self.dim("decoder_sequence_length"))

    @property
    def channels(self) -> tuple[int, ...]:
        """An axis of codes, where the decoder reads several channels of these at each step."""
        decoder = self.config.sub("decoder")
        number = decoder.get("num_channels") if decoder is not None and decoder.has("vocab_size") else None
        return (number,) if isinstance(number, int) and decoder is not None and not decoder.has("image_size") else ()

    def ids(self, mask: str | None) -> TokenIds:
        """Return the rule for ids; the first is the start token, where the decoder has no past."""
        config = self.config.part("decoder")
        starts = (special_token(each, "decoder_start_token_id") for each in (self.config, config))
        first = None if self.context.with_past else next((start for start in starts if start is not None), None)
        name = "decoder_vocab_size"
        vocabulary = config if config.has(name) else text_config(self.config)
        if first is not None:
            config.check_in_vocabulary(first, name, vocabulary)
        return token_ids(vocabulary, mask=mask, first=first, outer=(self.config,), attribute=name)

    def describe_decoder_input_ids(self) -> TensorSpec:
        """Ids of the decoder's whole vocabulary, pads where the mask says so."""
        if self.channels:
            return self.ints("decoder_input_ids", (*self.shape, *self.channels), self.ids(None))
        return self.ints("decoder_input_ids", self.shape, self.ids(self.follow("decoder_attention_mask")))

    def describe_decoder_attention_mask(self) -> TensorSpec:
        """The decoder's own padding mask; covers its past too, and then is padded on the left."""
        shape, side = self.shape, self.context.padding_side
        if self.context.with_past:
            shape, side = (shape[0], self.dim("past_decoder_sequence_length") + shape[1]), "left"
        return self.ints("decoder_attention_mask", shape, PaddingMask(side, self.context.mask_policy))

    def describe_decoder_position_ids(self) -> TensorSpec:
        """Positions that follow the decoder's mask and past."""
        rule = _positions(self.context, "decoder_attention_mask", "past_decoder_sequence_length")
        return self.ints("decoder_position_ids", self.shape, rule)
