"""Denoisers: time steps, conditions, and latents as images or as packed rows.

A configuration is a denoiser's where it says both how many channels latents have and how large conditions are. Its shape
tells three kinds apart: those built of blocks that shrink and grow (``block_out_channels``) take one time step for all,
transformers one for each row; those with positions on several axes (``axes_dims_rope``) take latents packed two by two.
"""

from typing import ClassVar

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.base.stated_input import StatedInput
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Dim, Size
from dummyio.spec.tensor_spec import Nest, TensorSpec
from dummyio.spec.values import Constant, Grid, Normal, PaddingMask, Rule, Uniform

_STEPS = 1000
"""The steps that denoisers are trained with, nearly all of them."""


def denoises(config: NormalizedConfig) -> bool:
    """Whether a configuration is a denoiser's."""
    return config.raw("in_channels") is not None and config.has("conditioning_size")


def packs(config: NormalizedConfig) -> bool:
    """Whether a denoiser takes packed latents."""
    return denoises(config) and (config.raw("axes_dims_rope") is not None or config.raw("guidance_embeds") is not None)


class _Denoiser(DummyInputGenerator):
    """The sizes that all denoisers have."""

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """If the configuration is a denoiser's."""
        del name
        return denoises(context.config)

    @property
    def edges(self) -> tuple[Dim, ...]:
        """The height and width of latents: whole patches."""
        sizes, patch = self.config.size("sample_size") or (None, None), self.config.get("patch_size")
        multiple = 2 if packs(self.config) else patch if isinstance(patch, int) else 1
        pairs = zip(("height", "width"), sizes, strict=True)
        return tuple(self.dim(name, size=size, floor=multiple, multiple_of=multiple) for name, size in pairs)

    @property
    def channels(self) -> Dim:
        """The channels of latents."""
        return self.given_or_fixed("num_channels", self.config.get("num_channels"), "in_channels")

    def steps(self, *shape: Size) -> TensorSpec:
        """Return time steps: floats, or with the option ``integer_timestep=True`` whole numbers."""
        if self.option("integer_timestep"):
            return self.ints("timestep", shape, Uniform(0, _STEPS))
        # Denoisers of packed latents are given the share of the way that is left, and scale it themselves.
        return self.floats("timestep", shape, Uniform(0, 1 if packs(self.config) else _STEPS))


class DummyTimestepInputGenerator(_Denoiser):
    """One time step for the whole batch, and more conditions of denoisers that are built of blocks that shrink and grow."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("integer_timestep",)

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """If the configuration is that of such a denoiser."""
        return super().applies(context, name) and context.config.raw("block_out_channels") is not None

    def describe_timestep(self) -> TensorSpec:
        """The time step, a scalar."""
        return self.steps()

    @property
    def sizes_given(self) -> int:
        """How many numbers tell the size of an image: original and target size and crop, or a score in place of two."""
        return 5 if self.config.get("requires_aesthetics_score") else 6

    @property
    def text_features(self) -> int:
        """The size of a text as one vector."""
        size = self.config.get("text_encoder_projection_dim")
        if size is not None:
            return int(size)
        joined = self.config.integer("projection_class_embeddings_input_dim")
        return joined - self.sizes_given * self.config.integer("addition_time_embed_dim")

    describe_text_embeds = StatedInput("float", "batch_size text_features", Normal())
    describe_time_ids = StatedInput("float", "batch_size sizes_given", Uniform(0, 1024))
    describe_timestep_cond = StatedInput("float", "batch_size time_cond_proj_dim", Normal())

    def describe_added_cond_kwargs(self) -> Nest:
        """Text and image size under the names that they are nested by."""
        return Nest.of("dict", {"text_embeds": self.describe_text_embeds(), "time_ids": self.describe_time_ids()})


class DummyTransformerTimestepInputGenerator(_Denoiser):
    """A time step for each row [batch]."""

    OPTIONS: ClassVar[tuple[str, ...]] = ("integer_timestep",)

    def describe_timestep(self) -> TensorSpec:
        """The time steps."""
        return self.steps(self.dim("batch_size"))


class DummyTransformerVisionInputGenerator(_Denoiser):
    """Latents as images."""

    describe_hidden_states = StatedInput("float", "batch_size channels edges", Normal())


class _PackedDenoiser(_Denoiser):
    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """If a denoiser takes packed latents."""
        del name
        return packs(context.config)


class DummyPackedTransformerVisionInputGenerator(_PackedDenoiser):
    """Latents packed two by two into rows, and where each row lies: image, row, column."""

    @property
    def cells(self) -> Size:
        """How many rows an image is packed into."""
        height, width = self.edges
        return (height // 2) * (width // 2)

    def places(self) -> Rule:
        """Return the place of each row."""
        return Grid(columns=str(self.edges[1] // 2))

    describe_hidden_states = StatedInput("float", "batch_size cells channels", Normal())
    describe_img_ids = StatedInput("int", "cells 3", places)


class DummyTransformerTextInputGenerator(_Denoiser):
    """The text to draw, encoded: features of each token, a mask, and one vector for all."""

    @property
    def text_features(self) -> int:
        """The features of a token."""
        return self.config.integer("conditioning_size" if self.config.has("conditioning_size") else "hidden_size")

    def mask(self) -> Rule:
        """Return the mask of a text."""
        return PaddingMask(self.context.padding_side, self.context.mask_policy)

    describe_encoder_hidden_states = StatedInput("float", "batch_size sequence_length text_features", Normal())
    describe_encoder_attention_mask = StatedInput("int", "batch_size sequence_length", mask)
    describe_pooled_projections = StatedInput("float", "batch_size pooled_projection_dim", Normal())


class DummyPackedTransformerTextInputGenerator(_PackedDenoiser, DummyTransformerTextInputGenerator):
    """The same for packed latents: tokens have coordinates too, all 0, and guidance is an input."""

    describe_txt_ids = StatedInput("int", "sequence_length 3", Constant(0))
    describe_guidance = StatedInput("float", "batch_size", Uniform(1, 8))
