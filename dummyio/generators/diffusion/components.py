"""Inputs of denoisers and autoencoders: latents, images and videos, time steps, conditions and masks."""

from dummyio.generators.base.stated_input import StatedInput
from dummyio.generators.diffusion.denoisers import DummyTimestepInputGenerator, DummyTransformerTimestepInputGenerator
from dummyio.generators.diffusion.shape_words import ShapeWordsInputGenerator
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import Nest, Node, TensorSpec
from dummyio.spec.values import Constant, Grid, Normal, Rule, Uniform

_LATENT_CHANNELS = ("latent_channels", "z_dim", "vq_embed_dim", "out_latent_channels")
_EDGES = Uniform(0, 1024)
"""Pixels along the edges of images."""


class DummyComponentInputGenerator(ShapeWordsInputGenerator):
    """What names say, as far as they do; else the words of a shape."""

    def describe_timestep(self) -> TensorSpec:
        """One time step for all if maps shrink and grow, else one for each row."""
        if self.words("timestep") == ("batch_size", "num_frames"):
            return DummyTransformerTimestepInputGenerator.of(self.context).steps(*self.shape_of("timestep"))
        if self.config.raw("block_out_channels") is not None and self.words("timestep") != ("batch_size",):
            return DummyTimestepInputGenerator.of(self.context).describe_timestep()
        return DummyTransformerTimestepInputGenerator.of(self.context).describe_timestep()

    def describe_timesteps(self) -> TensorSpec:
        """The same under another name."""
        return self.describe_timestep().replace(name="timesteps")

    def describe_r_timestep(self) -> TensorSpec:
        """A second time step, which a model goes to from the first."""
        return self.describe_timestep().replace(name="r_timestep")

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
        channels = self.given_or_fixed("latent_channels", self.whole(*_LATENT_CHANNELS), "latent_channels")
        edges = self.dim("latent_height", size=8), self.dim("latent_width", size=8)
        frames = (self.dim("num_frames", size=3),) if "num_frames" in words else ()
        return self.floats("latent_sample", (self.batch, channels, *frames, *edges), Normal())

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
        count = self.whole("num_class_embeds", "num_embeds_ada_norm")
        return self.ints("class_labels", (self.batch,), Uniform(0, max(1 if count is None else count, 1)))

    def describe_added_cond_kwargs(self) -> Node:
        """A text and the size of its image; or the size and its ratio alone."""
        if self.config.raw("addition_embed_type") == "text_time":
            return DummyTimestepInputGenerator.of(self.context).describe("added_cond_kwargs")
        sizes = {
            "resolution": self.floats("resolution", (self.batch, 2), Uniform(256, 1024)),
            "aspect_ratio": self.floats("aspect_ratio", (self.batch, 1), Uniform(0.5, 2)),
        }
        return Nest.of("dict", sizes)

    @property
    def motion(self) -> int:
        """How many numbers say how a video moves: frames a second, motion, noise."""
        joined = self.config.integer("projection_class_embeddings_input_dim")
        return joined // self.config.integer("addition_time_embed_dim")

    def describe_controlnet_cond(self) -> TensorSpec:
        """What guides the drawing: an image as many times larger as its encoder shrinks it, or latents like those drawn."""
        blocks = self.config.raw("conditioning_embedding_out_channels")
        if not isinstance(blocks, (list, tuple)):
            extra = self.whole("extra_conditioning_channels") or 0
            batch, channels, *rest = self.drawn
            wider = self.config.integer("in_channels") + extra if extra else channels
            return self.floats("controlnet_cond", (batch, wider, *rest), Normal())
        times = 2 ** (len(blocks) - 1)
        edges = (self.edge("height", 0) * times, self.edge("width", 1) * times)
        channels = self.whole("conditioning_channels") or 3
        return self.floats("controlnet_cond", (self.batch, channels, *edges), Uniform(0, 1))

    def describe_audio_coords(self) -> TensorSpec:
        """When each row of a sound is heard."""
        length = self.shape_of("audio_hidden_states")[1]
        return self.floats("audio_coords", (self.batch, 1, length), Uniform(0, 16))

    @property
    def drawn(self) -> tuple[Size, ...]:
        """The shape of what the model draws."""
        return self.shape_of(next(iter(self.context.facts.arguments)))

    @property
    def axes(self) -> int:
        """How many coordinates a place has: as many as axes are told apart by rotation."""
        sizes = self.config.raw("axes_dims_rope")
        return len(sizes) if isinstance(sizes, (list, tuple)) else 3

    def places(self) -> Rule:
        """Return image, row and column of each row of latents; with more coordinates than these, any of a few places."""
        return Grid(columns=str(self.edge("width", 1) // 2)) if self.axes == 3 else Uniform(0, 8)

    @property
    def samples(self) -> tuple[Size, ...]:
        """The batch of places, where the model takes one."""
        return (self.batch,) if len(self.words("img_ids") or ()) == 3 else ()

    describe_img_ids = StatedInput("int", "samples cells axes", places)
    # A text lies nowhere in an image.
    describe_txt_ids = StatedInput("int", "samples sequence_length axes", Constant(0))
    describe_added_time_ids = StatedInput("float", "batch_size motion", Uniform(0, 128))
    describe_original_size = StatedInput("int", "batch_size 2", _EDGES)
    describe_target_size = StatedInput("int", "batch_size 2", _EDGES)
    # Original and target size, and crop.
    describe_image_meta_size = StatedInput("float", "batch_size 6", _EDGES)
    describe_style = StatedInput("int", "batch_size", Uniform(0, 1))
    describe_crop_coords = StatedInput("int", "batch_size 2", _EDGES)
    describe_fps = StatedInput("int", "batch_size", Uniform(1, 60))
    describe_image_latents = StatedInput("float", "drawn", Normal())  # of the image that a video begins with
    describe_video_coords = StatedInput("float", "batch_size 3 cells", Uniform(0, 16))  # time, row and column
    describe_temb = StatedInput("float", "batch_size", Uniform(0, 1))  # the share of noise that a decoder removes
    describe_timestep_cond = StatedInput("float", "batch_size time_cond_proj_dim", Normal())
    describe_guidance = StatedInput("float", "batch_size", Uniform(1, 8))
