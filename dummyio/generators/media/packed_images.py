"""Images of any size cut into patches and packed one after another, with a grid that states the patches of each."""

from dummyio.generators.base.context import Context
from dummyio.generators.base.input_generator import DummyInputGenerator
from dummyio.generators.media_tokens.patch_grids import BY_IMAGE, GRIDS, patch_grid, patches_per_token, square_side
from dummyio.model_config.normalized_config import NormalizedConfig
from dummyio.spec.dims import Size
from dummyio.spec.tensor_spec import TensorSpec
from dummyio.spec.values import Constant, Grid, PaddingMask, Rows, Uniform


class DummyPackedImagesInputGenerator(DummyInputGenerator):
    """One image for each row of the batch: its patches, and its grid (frames, rows, columns).

    Patches are flat, [patches, channels * frames * height * width]; where the model convolves them, they are small
    images, [patches, channels, height, width]; and where it takes them image by image, [images, patches, ...].
    """

    @classmethod
    def applies(cls, context: Context, name: str) -> bool:
        """Where the model takes a grid."""
        grids = {"grid_thw"} if name == "hidden_states" else GRIDS
        return context.names is not None and bool(context.names & grids)

    @property
    def vision(self) -> NormalizedConfig:
        """The image model's configuration."""
        return self.config.unwrapped().part("vision")

    @property
    def patch(self) -> tuple[int, ...]:
        """The shape of one patch."""
        vision, facts = self.vision, self.context.facts.media
        edge = square_side(vision.require("patch_size")) or 1
        if facts.packed_patches_are_pooled:
            edge *= square_side(vision.raw("pooling_kernel_size")) or 1
        channels = square_side(vision.get("num_channels")) or 3
        frames = square_side(vision.raw("temporal_patch_size")) or square_side(vision.raw("patch_temporal")) or 1
        if facts.packed_patches_are_tokens:
            side = edge * (square_side(vision.raw("spatial_merge_size")) or 1)
            return side, side, channels
        if facts.packed_patches_are_images:
            return channels, edge, edge
        return (channels * frames * edge * edge,)

    def describe_pixel_values(self) -> TensorSpec:
        """Patches with values in [-1, 1)."""
        return self.packed("pixel_values")

    def describe_hidden_states(self) -> TensorSpec:
        """The same, as the image model of a larger one calls them: it cuts nothing, and embeds what it gets."""
        return self.packed("hidden_states")

    def packed(self, name: str) -> TensorSpec:
        """Return patches under a name."""
        rows, columns = patch_grid(self.context)
        batch = self.dim("batch_size")
        names = self.context.names or frozenset()
        if "target_sizes" in names:  # all patches side by side, as one image
            channels, edge = (
                square_side(self.vision.get("num_channels")) or 3,
                square_side(self.vision.require("patch_size")) or 1,
            )
            return self.floats(name, (1, channels, edge, batch * (rows * columns * edge)), Uniform(-1, 1))
        if names & BY_IMAGE:
            return self.floats(name, (batch, rows * columns, *self.patch), Uniform(-1, 1))
        by_image = self.context.facts.media.packed_by_image
        patches: tuple[Size, ...] = (batch, rows * columns) if by_image else (batch * (rows * columns),)
        return self.floats(name, (*patches, *self.patch), Uniform(-1, 1))

    def grid(self, name: str) -> TensorSpec:
        """Return a grid [images, 3] of one frame each."""
        images = self.dim("batch_size") * (2 if self.drawn else 1)
        return self.ints(name, (images, 3), Rows((1, *patch_grid(self.context))))

    def describe_image_grid_thw(self) -> TensorSpec:
        """The grid of images."""
        return self.grid("image_grid_thw")

    def describe_grid_thw(self) -> TensorSpec:
        """The same, where the model knows nothing else."""
        return self.grid("grid_thw")

    def describe_images_per_sample(self) -> TensorSpec:
        """How many grids each row has [batch]: that of its image, and that of the one to be drawn."""
        return self.ints("images_per_sample", (self.dim("batch_size"),), Constant(2))

    def describe_image_merge_sizes(self) -> TensorSpec:
        """How many rows, and columns, of patches become one token [images]."""
        return self.ints("image_merge_sizes", (self.dim("batch_size"),), Constant(patches_per_token(self.context)))

    def describe_merge_sizes(self) -> TensorSpec:
        """The same, where the model knows nothing else."""
        return self.ints("merge_sizes", (self.dim("batch_size"),), Constant(patches_per_token(self.context)))

    def describe_target_sizes(self) -> TensorSpec:
        """The rows and columns of patches of each image [images, 2]."""
        return self.ints("target_sizes", (self.dim("batch_size"), 2), Rows(patch_grid(self.context)))

    @property
    def drawn(self) -> bool:
        """Whether each row has one grid more, of an image that the model is to draw."""
        return self.context.names is not None and "images_per_sample" in self.context.names

    def describe_spatial_shapes(self) -> TensorSpec:
        """The same under another name."""
        return self.ints("spatial_shapes", (self.dim("batch_size"), 2), Rows(patch_grid(self.context)))

    def places(self, name: str) -> TensorSpec:
        """Return the place of each patch [images, patches, 2], under a name."""
        rows, columns = patch_grid(self.context)
        return self.ints(name, (self.dim("batch_size"), rows * columns, 2), Grid(columns))

    def describe_image_position_ids(self) -> TensorSpec:
        """Where each patch lies."""
        return self.places("image_position_ids")

    def describe_pixel_position_ids(self) -> TensorSpec:
        """The same under another name."""
        return self.places("pixel_position_ids")

    def describe_pixel_attention_mask(self) -> TensorSpec:
        """1 for every patch [images, patches]."""
        rows, columns = patch_grid(self.context)
        return self.ints("pixel_attention_mask", (self.dim("batch_size"), rows * columns), PaddingMask(policy="full"))
