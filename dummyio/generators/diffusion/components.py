"""Inputs of denoisers and autoencoders: latents, images and videos, time steps, conditions and masks."""

from dummyio.generators.diffusion.denoisers import (
    DummyPackedTransformerTextInputGenerator,
    DummyTimestepInputGenerator,
    DummyTransformerTimestepInputGenerator,
)
from dummyio.generators.diffusion.shape_words import ShapeWordsInputGenerator
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Constant, Grid, Normal, Uniform

_HINTS = ("conditioning_embedding_out_channels",)
"""Attributes with an entry for each size that an image has on its way to the size of latents."""


class DummyComponentInputGenerator(ShapeWordsInputGenerator):
    """What names say, as far as they do; else the words of a shape."""

    def describe_timestep(self) -> TensorSpec:
        """One time step for all where maps shrink and grow, else one for each row."""
        shared = self.config.raw("block_out_channels") is not None
        context = self.context
        if shared:
            return DummyTimestepInputGenerator.of(context).describe_timestep()
        return DummyTransformerTimestepInputGenerator.of(context).describe_timestep()

    def describe_timesteps(self) -> TensorSpec:
        """The same under another name."""
        return self.describe_timestep().replace(name="timesteps")

    def describe_timestep_cond(self) -> Node:
        """The strength of guidance, embedded."""
        return DummyTimestepInputGenerator.of(self.context).describe("timestep_cond")

    def describe_hidden_states(self) -> TensorSpec:
        """Latents; codes of latents [batch, places] where there is a table of these and no channels."""
        codes = self.whole("num_vector_embeds")
        if codes is not None and self.config.raw("in_channels") is None:
            return self.ints(
                "hidden_states", (self.batch, self.config.integer("sample_size") ** 2), Uniform(0, codes - 1)
            )
        return self.floats("hidden_states", self.shape_of("hidden_states"), Normal())

    def describe_latent_sample(self) -> TensorSpec:
        """What a decoder of latents starts from, normal."""
        words = self.words("latent_sample") or ()
        if "length" in words:
            return self.floats("latent_sample", self.shape_of("latent_sample"), Normal())
        channels = self.given_or_fixed("latent_channels", self._latent_channels, "latent_channels")
        edges = self.dim("latent_height", size=8), self.dim("latent_width", size=8)
        video = "num_frames" in words
        frames = (self.dim("num_frames", size=3),) if video else ()
        return self.floats("latent_sample", (self.batch, channels, *frames, *edges), Normal())

    @property
    def _latent_channels(self) -> int | None:
        names = ("latent_channels", "z_dim", "vq_embed_dim", "out_latent_channels")
        return next((n for name in names if (n := self.whole(name)) is not None), None)

    def describe_class_labels(self) -> TensorSpec:
        """Classes [batch]; where what is embedded is given, as many features as are projected."""
        kind = self.config.raw("class_embed_type")
        if kind in ("projection", "simple_projection"):
            size = self.config.integer("projection_class_embeddings_input_dim")
            return self.floats("class_labels", (self.batch, size), Normal())
        if kind == "timestep":
            return self.floats("class_labels", (self.batch,), Uniform(0, 1000))
        if kind == "identity":
            blocks = self.config.require("block_out_channels")
            return self.floats("class_labels", (self.batch, blocks[0] * 4), Normal())
        names = ("num_class_embeds", "num_embeds_ada_norm")
        count = next((n for name in names if (n := self.whole(name)) is not None), 1)
        return self.ints("class_labels", (self.batch,), Uniform(0, max(count, 1)))

    def describe_added_cond_kwargs(self) -> Node:
        """A text and the size of its image; or the size and its ratio alone."""
        if self.config.raw("addition_embed_type") == "text_time":
            return DummyTimestepInputGenerator.of(self.context).describe("added_cond_kwargs")
        sizes = {
            "resolution": self.floats("resolution", (self.batch, 2), Uniform(256, 1024)),
            "aspect_ratio": self.floats("aspect_ratio", (self.batch, 1), Uniform(0.5, 2)),
        }
        return Nest.of("dict", sizes)

    def describe_added_time_ids(self) -> TensorSpec:
        """Frames a second, motion and noise [batch, numbers]."""
        joined = self.config.integer("projection_class_embeddings_input_dim")
        count = joined // self.config.integer("addition_time_embed_dim")
        return self.floats("added_time_ids", (self.batch, count), Uniform(0, 128))

    def describe_controlnet_cond(self) -> TensorSpec:
        """What guides the drawing: an image as many times larger as its encoder shrinks it, or latents like those drawn."""
        blocks = next((v for name in _HINTS if isinstance(v := self.config.raw(name), (list, tuple))), None)
        channels = self.whole("conditioning_channels")
        if blocks is None:
            extra = self.whole("extra_conditioning_channels") or 0
            shape = self.shape_of(next(iter(self.context.facts.arguments)))
            wider = tuple(
                self.config.integer("in_channels") + extra if extra and i == 1 else s for i, s in enumerate(shape)
            )
            return self.floats("controlnet_cond", wider, Normal())
        times = 2 ** (len(blocks) - 1)
        edges = (self.edge("height", 0) * times, self.edge("width", 1) * times)
        return self.floats("controlnet_cond", (self.batch, channels or 3, *edges), Uniform(0, 1))

    @property
    def axes(self) -> int:
        """How many coordinates a place has: as many as axes are told apart by rotation."""
        sizes = self.config.raw("axes_dims_rope")
        return len(sizes) if isinstance(sizes, (list, tuple)) else 3

    def describe_img_ids(self) -> TensorSpec:
        """Image, row and column of each row of latents; with more coordinates than these, any of a few places."""
        _, width = self.edge("height", 0), self.edge("width", 1)
        rule = Grid(columns=str(width // 2)) if self.axes == 3 else Uniform(0, 8)
        return self.ints("img_ids", (self.cells, self.axes), rule)

    def describe_txt_ids(self) -> TensorSpec:
        """The coordinates of tokens: all 0, for a text lies nowhere in an image."""
        return self.ints("txt_ids", (self.dim("sequence_length"), self.axes), Constant(0))

    def pair(self, name: str) -> TensorSpec:
        """Return two numbers of pixels for each image [batch, 2]."""
        return self.floats(name, (self.batch, 2), Uniform(0, 1024))

    def describe_original_size(self) -> TensorSpec:
        """The size that an image had."""
        return self.pair("original_size")

    def describe_target_size(self) -> TensorSpec:
        """The size that it is to have."""
        return self.pair("target_size")

    def describe_crop_coords(self) -> TensorSpec:
        """Where it is cut out."""
        return self.pair("crop_coords")

    def describe_fps(self) -> TensorSpec:
        """Frames a second [batch]."""
        return self.ints("fps", (self.batch,), Uniform(1, 60))

    def describe_image_latents(self) -> TensorSpec:
        """Latents of the image that a video begins with, of the video's shape."""
        return self.floats("image_latents", self.shape_of(next(iter(self.context.facts.arguments))), Normal())

    def describe_video_coords(self) -> TensorSpec:
        """Time, row and column of each row of latents [batch, 3, rows]."""
        return self.floats("video_coords", (self.batch, 3, self.cells), Uniform(0, 16))

    def describe_guidance(self) -> Node:
        """The strength of guidance."""
        return DummyPackedTransformerTextInputGenerator.of(self.context).describe("guidance")
