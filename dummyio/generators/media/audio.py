"""Audio: waves, features of frames, spectrograms, codes, and the inputs of speech synthesis.

Features of a frame come before the frames where the model convolves them over time, and after them elsewhere. Without the
model's text, frames come first where the configuration names the features of one (``input_feat_per_channel`` and the like).
Where features come first and the encoder has a position for every second frame (``max_source_positions``), their number is fixed.
"""

from collections.abc import Sequence
from math import prod

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.media_tokens.audio_token_counts import audio_tokens, frame_count
from dummyio.generators.media_tokens.token_counts import list_media
from dummyio.generators.text.text import text_length
from dummyio.model_config.attribute_types import MOST_ELEMENTS, check_amount
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Normal, PaddingMask, Rule, Uniform

_SHORT = 400
"""25 ms at 16 kHz: the least that a usual stack of convolutions makes one frame of."""
_FEW = 16
"""Frames that a usual stack of convolutions makes at least one position of."""
_BOUNDED = Uniform(-1, 1)


class _Audio(DummyInputGenerator):
    """What sounds share: the sound model's configuration, and the symbols of length."""

    @property
    def audio(self) -> NormalizedConfig:
        """The sound model's configuration."""
        return self.config.part("audio")

    @property
    def placed(self) -> bool:
        """Whether a text holds placeholders for the sound."""
        return any(medium.kind == "audio" for medium in list_media(self.context))

    @property
    def wave(self) -> Dim:
        """The length of a wave, in samples."""
        step = _frame_length(self.config.part("encoder")) or self.hop
        if step is None and self.codec is not None:
            step = self.codec.raw("hop_length")
        patches = self.audio.raw("patch_sizes")
        if isinstance(patches, Sequence):  # patches of samples, and of these, and so on
            step = check_amount(prod(patches), MOST_ELEMENTS, "samples in one frame")
        bounds = {"multiple_of": step} if step else {}
        return self.dim("audio_sequence_length", floor=_receptive_field(self.audio), **bounds)

    @property
    def codec(self) -> NormalizedConfig | None:
        """The configuration of a codec inside the sound model, which reads the wave first."""
        return self.audio.inner("codebook_size")

    @property
    def hop(self) -> int | None:
        """How many samples a codec makes one frame of, where features of the same frames go in beside its wave."""
        ratios, names = self.audio.raw("downsampling_ratios"), self.context.names or frozenset()
        beside = {"input_values", "input_features"} <= names and isinstance(ratios, Sequence)
        return check_amount(prod(ratios), MOST_ELEMENTS, "samples in one frame") if beside and ratios else None

    @property
    def embedded(self) -> int | None:
        """How wide features are that go in as embeddings, in the place of those of a text."""
        return self.audio.integer("hidden_size") if self.context.facts.media.audio_replaces_embeddings else None

    @property
    def bins(self) -> Dim:
        """The features of a frame."""
        if self.embedded is not None:
            return self.given_or_fixed("feature_size", self.embedded, "hidden_size")
        size = self.audio.get("audio_features") or self.audio.get("num_mel_bins")
        semantic = self.config.sub("semantic")
        if size is None and semantic is not None:
            size = semantic.get("audio_features")
        channels = self.audio.raw("subsampling_conv_channels")
        if (
            size is None and isinstance(channels, Sequence) and channels
        ):  # a projection takes a quarter of so many features
            size = channels[0]
        stacked = self.audio.raw("num_stacked_frames") or self.context.facts.media.stacked_frames
        if isinstance(size, int) and isinstance(stacked, int):
            size = check_amount(size * stacked, MOST_ELEMENTS, "features of one frame")
        return self.given_or_fixed("feature_size", size, "the number of features")

    @property
    def frames(self) -> Size:
        """The number of frames; fixed where a text holds as many placeholders as come of them."""
        if self.placed:
            return self.fixed("nb_max_frames", frame_count(self.context), "the encoder")
        beside = self.config.raw("audio_length_per_tok")
        if isinstance(beside, int) and "input_ids" in (self.context.names or ()):
            # Sound and text run side by side, so each token has the frames of its own moment.
            return text_length(self.context) * beside
        if self.hop is not None:
            return self.wave // self.hop
        positions = self.audio.raw("max_source_positions")
        if positions is not None and self.audio.has("num_mel_bins") and not self.frames_first:
            # The encoder's second convolution has stride 2, and its positions are added without being cut.
            return self.given_or_fixed("nb_max_frames", 2 * positions, "max_source_positions")
        limit = self.audio.get("max_positions")
        if self.audio.raw("num_stacked_frames") is not None and isinstance(limit, int):  # positions count from one
            return self.dim("nb_max_frames", floor=_FEW, max=limit - 1)
        return self.dim("nb_max_frames", floor=_FEW)

    @property
    def frames_first(self) -> bool:
        """Whether features are [batch, frames, features], not [batch, features, frames]."""
        first = self.context.facts.media.features_first
        stated = self.audio.has("audio_features") or self.audio.raw("subsampling_factor") is not None
        return stated if first is None else not first


def _frame_length(config: NormalizedConfig) -> int | None:
    """Return how many samples a wave is cut into frames of, where the configuration gives their duration."""
    duration, rate = config.raw("frame_ms"), config.raw("sample_rate")
    return round(duration * rate / 1000) if isinstance(duration, (int, float)) and isinstance(rate, int) else None


def _receptive_field(config: NormalizedConfig) -> int:
    """Return how many samples one frame is made of, by the convolutions' kernels and strides."""
    kernels, strides = config.raw("conv_kernel"), config.raw("conv_stride")
    if not (isinstance(kernels, Sequence) and isinstance(strides, Sequence)):
        return _SHORT
    field = 1
    for kernel, stride in zip(reversed(kernels), reversed(strides), strict=False):
        field = (field - 1) * stride + kernel
    return check_amount(field, MOST_ELEMENTS, "samples in one frame")


class DummyAudioInputGenerator(_Audio):
    """Waves, features of frames, and which of them count."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where sounds are there and no text, a mask is the sounds'; codes of frames are those of mel features."""
        if name.startswith("audio_input_ids"):
            return context.config.unwrapped().part("audio").raw("mel_vocab_size") is not None
        stated = context.facts.arguments.get("input_values")
        if stated is not None and (stated.shape or ())[-1:] == ("hidden_size",):
            return False
        names = context.names or frozenset()
        return name != "attention_mask" or (
            "input_ids" not in names and bool(names & {"input_values", "input_features"})
        )

    def describe_input_values(self) -> TensorSpec:
        """Waves [batch, samples] in [-1, 1); codecs have an axis of channels before the samples."""
        shape: tuple[Size, ...] = (self.dim("batch_size"), self.wave)
        codec = self.audio.raw("codebook_size") is not None and not self.audio.has("vocab_size")
        stated = self.context.facts.arguments.get("input_values")
        channels = stated is not None and stated.shape is not None and stated.shape[1:2] in (("1",), ("channels",))
        if codec or channels or self.codec is not None or self.audio.raw("audio_channels") is not None:
            shape = (shape[0], self.audio.integer("audio_channels", 1), self.wave)
        return self.floats("input_values", shape, _BOUNDED)

    def describe_input_features(self) -> TensorSpec:
        """Features of frames in [-1, 1): see the module for their layout."""
        batch = self.dim("batch_size")
        side = self.audio.raw("spec_size")
        if isinstance(side, int):  # the spectrogram is folded into a square image, which bounds how many frames fit
            most = side * (side // self.bins.size)
            frames = self.dim("nb_max_frames", size=most, floor=_FEW, max=most)
            return self.floats("input_features", (batch, 1, frames, self.bins), _BOUNDED)
        if self.hop is not None or self.embedded is not None or self.frames_first:
            return self.floats("input_features", (batch, self.frames, self.bins), _BOUNDED)
        return self.floats("input_features", (batch, self.bins, self.frames), _BOUNDED)

    describe_audio_mel = StatedInput("float", "batch_size frames bins", _BOUNDED)
    describe_audio_mel_mask = StatedInput("bool", "batch_size frames", Constant(False))  # true for padding

    def frame_mask(self, least: int = _FEW) -> Rule:
        """Return a mask in which every row keeps enough frames for the convolutions to return something."""
        # Each sound becomes as many tokens as its text has placeholders, so all are of the same length.
        policy = "full" if self.placed else self.context.mask_policy
        return PaddingMask(self.context.padding_side, policy, least)

    def sample_mask(self) -> Rule:
        """Return the same for samples."""
        return self.frame_mask(_receptive_field(self.audio))

    def describe_attention_mask(self) -> TensorSpec:
        """1 for sound, 0 for padding: [batch, samples], or [batch, frames] if the model gets frames."""
        names = self.context.names
        framed = self.audio.has("num_mel_bins") or self.frames_first if names is None else "input_features" in names
        length, rule = (self.frames, self.frame_mask()) if framed else (self.wave, self.sample_mask())
        return self.ints("attention_mask", (self.dim("batch_size"), length), rule)

    def describe_input_features_mask(self) -> TensorSpec:
        """1 for frames that count; for tokens, if the model selects these by it."""
        counted = self.context.facts.media.mask_counts_audio_tokens and self.placed
        tokens = audio_tokens(self.context) if counted else None
        if tokens is None:
            return self.ints("input_features_mask", (self.dim("batch_size"), self.frames), self.frame_mask())
        return TensorSpec("input_features_mask", (self.dim("batch_size"), tokens), "bool", PaddingMask(policy="full"))

    describe_padding_mask = StatedInput("int", "batch_size wave", sample_mask)
    describe_feature_attention_mask = StatedInput("int", "batch_size frames", frame_mask)
    describe_audio_input_ids = StatedInput(
        "int", "batch_size frames audio.n_mel_bins", lambda self: Uniform(0, self.audio.integer("mel_vocab_size"))
    )
    describe_audio_input_ids_mask = StatedInput("int", "batch_size frames", frame_mask)


class DummySpectrogramInputGenerator(_Audio):
    """A spectrogram that is cut into patches as an image is: [batch, frames, features], their number fixed."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """If the configuration has patches of mel features."""
        del name
        audio = context.config.part("audio")
        return all(audio.raw(attribute) is not None for attribute in ("max_length", "num_mel_bins", "patch_size"))

    @property
    def frames(self) -> Size:
        """The fixed number of frames."""
        return self.given_or_fixed("nb_max_frames", self.audio.integer("max_length"), "max_length")

    describe_input_values = StatedInput("float", "batch_size frames bins", Normal())


class DummySpeechSynthesisInputGenerator(_Audio):
    """What speech is made from: the frames so far, a voice, one whole spectrogram for a vocoder, noise."""

    describe_output_sequence = StatedInput("float", "batch_size sequence_length bins", Normal())
    describe_speaker_embeddings = StatedInput("float", "batch_size speaker_embedding_dim", Normal())
    describe_spectrogram = StatedInput("float", "spectrogram_length bins", Normal())
    describe_noise_sequence = StatedInput("float", "batch_size frames model_in_channels", Normal())


class DummyAudioCodesInputGenerator(_Audio):
    """Codes of a codec [batch, codebooks, sequence]; of one that works in chunks, an axis of one chunk before these."""

    @property
    def codebooks(self) -> int:
        """How many codebooks there are."""
        for config in (self.config.sub("decoder"), self.audio, self.config):
            if config is not None and config.has("num_codebooks"):
                return config.integer("num_codebooks")
        return self.audio.integer("num_codebooks")

    def describe_audio_codes(self) -> TensorSpec:
        """Codes below ``codebook_size``."""
        shape: tuple[Size, ...] = (self.dim("batch_size"), self.codebooks, self.dim("sequence_length"))
        decoder = self.config.sub("decoder")
        chunked = self.audio.raw("target_bandwidths") is not None or (
            decoder is not None and decoder.has("num_codebooks")
        )
        high = self.audio.get("codebook_size") or self.config.part("decoder").integer("vocab_size")
        return self.ints("audio_codes", (1, *shape) if chunked else shape, Uniform(0, high))
