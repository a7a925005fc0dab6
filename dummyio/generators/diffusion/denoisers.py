"""Denoisers: time steps, conditions, and latents as images or as packed rows.

A configuration is a denoiser's where it says both how many channels latents have and how large conditions are. Its shape
tells three kinds apart: those built of blocks that shrink and grow (``block_out_channels``) take one time step for all,
transformers one for each row; those with positions on several axes (``axes_dims_rope``) take latents packed two by two.
"""

from typing import ClassVar

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Constant, Grid, Normal, PaddingMask, Uniform

_STEPS = 1000
"""The steps that denoisers are trained with, nearly all of them."""
_AXES = 3
"""The coordinates of a position: which image, row, column."""


def denoises(config: NormalizedConfig) -> bool:
    """Whether a configuration is a denoiser's."""
    return config.raw("in_channels") is not None and config.has("conditioning_size")


def packs(config: NormalizedConfig) -> bool:
    """Whether a denoiser takes packed latents."""
    return denoises(config) and (config.raw("axes_dims_rope") is not None or config.raw("guidance_embeds") is not None)


class _Denoiser(DummyInputGenerator):
    """What denoisers share."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the configuration is a denoiser's."""
        del name
        return denoises(context.config)

    @property
    def batch(self) -> Dim:
        """The batch."""
        return self.dim("batch_size")

    @property
    def edges(self) -> tuple[Dim, Dim]:
        """The height and width of latents; whole patches."""
        height, width = self.config.size("sample_size") or (None, None)
        patch = self.config.get("patch_size")
        multiple = patch if isinstance(patch, int) and not packs(self.config) else 2 if packs(self.config) else 1
        return (
            self.dim("height", size=height, floor=multiple, multiple_of=multiple),
            self.dim("width", size=width, floor=multiple, multiple_of=multiple),
        )

    def steps(self, shape: tuple[Size, ...]) -> TensorSpec:
        """Return time steps: floats, or with the option ``integer_timestep=True`` whole numbers."""
        if self.option("integer_timestep"):
            return self.ints("timestep", shape, Uniform(0, _STEPS))
        # Denoisers of packed latents are given the share of the way that is left, and scale it themselves.
        return self.floats("timestep", shape, Uniform(0, 1 if packs(self.config) else _STEPS))


class DummyTimestepInputGenerator(_Denoiser):
    """One time step for the whole batch, and more conditions of such denoisers."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("integer_timestep",)

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where a denoiser is built of blocks that shrink and grow."""
        del name
        return denoises(context.config) and context.config.raw("block_out_channels") is not None

    def describe_timestep(self) -> TensorSpec:
        """The time step, a scalar."""
        return self.steps(())

    @property
    def sizes_given(self) -> int:
        """How many numbers tell the size of an image: original and target size and crop, or a score in place of two."""
        return 5 if self.config.get("requires_aesthetics_score") else 6

    def describe_text_embeds(self) -> TensorSpec:
        """A text as one vector [batch, size], normal."""
        size = self.config.get("text_encoder_projection_dim")
        if size is None:
            joined = self.config.integer("projection_class_embeddings_input_dim")
            size = joined - self.sizes_given * self.config.integer("addition_time_embed_dim")
        return self.floats("text_embeds", (self.batch, size), Normal())

    def describe_time_ids(self) -> TensorSpec:
        """The size of the image, in pixels [batch, 5 or 6]."""
        return self.floats("time_ids", (self.batch, self.sizes_given), Uniform(0, 1024))

    def describe_timestep_cond(self) -> TensorSpec:
        """The strength of guidance, embedded [batch, size], normal."""
        return self.floats("timestep_cond", (self.batch, self.config.integer("time_cond_proj_dim")), Normal())

    def describe_added_cond_kwargs(self) -> Nest:
        """Text and image size under the names that they are nested by."""
        return Nest.of("dict", {"text_embeds": self.describe_text_embeds(), "time_ids": self.describe_time_ids()})


class DummyTransformerTimestepInputGenerator(_Denoiser):
    """A time step for each row [batch]."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("integer_timestep",)

    def describe_timestep(self) -> TensorSpec:
        """The time steps."""
        return self.steps((self.batch,))


class DummyTransformerVisionInputGenerator(_Denoiser):
    """Latents as images [batch, channels, height, width], normal."""

    def describe_hidden_states(self) -> TensorSpec:
        """The latents."""
        channels = self.given_or_fixed("num_channels", self.config.get("num_channels"), "in_channels")
        return self.floats("hidden_states", (self.batch, channels, *self.edges), Normal())


class _PackedDenoiser(_Denoiser):
    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where a denoiser takes packed latents."""
        del name
        return packs(context.config)


class DummyPackedTransformerVisionInputGenerator(_PackedDenoiser):
    """Latents packed two by two into rows, and where each row lies."""

    @property
    def cells(self) -> Size:
        """How many rows an image is packed into."""
        height, width = self.edges
        return (height // 2) * (width // 2)

    def describe_hidden_states(self) -> TensorSpec:
        """The latents [batch, height // 2 * width // 2, channels], normal."""
        channels = self.given_or_fixed("num_channels", self.config.get("num_channels"), "in_channels")
        return self.floats("hidden_states", (self.batch, self.cells, channels), Normal())

    def describe_img_ids(self) -> TensorSpec:
        """Image, row and column of each [height // 2 * width // 2, 3]."""
        return self.ints("img_ids", (self.cells, _AXES), Grid(columns=str(self.edges[1] // 2)))


class DummyTransformerTextInputGenerator(_Denoiser):
    """The text to draw, encoded: a row for each token, a mask, and one vector for all."""

    def describe_encoder_hidden_states(self) -> TensorSpec:
        """The tokens [batch, sequence, size], normal."""
        size = self.config.get("conditioning_size")
        size = self.config.integer("hidden_size") if size is None else self.config.integer("conditioning_size")
        return self.floats("encoder_hidden_states", (self.batch, self.dim("sequence_length"), size), Normal())

    def describe_encoder_attention_mask(self) -> TensorSpec:
        """1 for tokens, 0 for padding [batch, sequence]."""
        rule = PaddingMask(self.context.padding_side, self.context.mask_policy)
        return self.ints("encoder_attention_mask", (self.batch, self.dim("sequence_length")), rule)

    def describe_pooled_projections(self) -> TensorSpec:
        """The whole text [batch, size], normal."""
        return self.floats("pooled_projections", (self.batch, self.config.integer("pooled_projection_dim")), Normal())


class DummyPackedTransformerTextInputGenerator(_PackedDenoiser, DummyTransformerTextInputGenerator):
    """The same for packed latents: tokens have coordinates too, and guidance is an input."""

    def describe_txt_ids(self) -> TensorSpec:
        """The coordinates of tokens [sequence, 3]: all 0, for a text lies nowhere in an image."""
        return self.ints("txt_ids", (self.dim("sequence_length"), _AXES), Constant(0))

    def describe_guidance(self) -> TensorSpec:
        """The strength of guidance [batch], in [1, 8)."""
        return self.floats("guidance", (self.batch,), Uniform(1, 8))
